import LabCore

extension Filters {
    static let encodings: [String: Filter] = [
        "to_json": Filter("indent", "sort_keys", "ensure_ascii", "separators", "preprocess_unsafe", "vault_to_text") {
            call in
            .string(try JSONText(call, indent: try call.int(0), sortsKeys: try call.flag(1)).text(of: call.input))
        },
        "to_nice_json": Filter("indent", "sort_keys", "ensure_ascii") { call in
            var writer = try JSONText(call, indent: try call.int(0) ?? 4, sortsKeys: try call[1]?.isTrue() ?? true)
            writer.itemSeparator = ","
            return .string(try writer.text(of: call.input))
        },
        "tojson": Filter("indent") { call in
            let text = try JSONText(indent: try call.int(0), sortsKeys: true).text(of: call.input)
            return .string(
                [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("'", "\\u0027")].reduce(text) {
                    StringMethods.replaced($0, $1.0, $1.1, limit: -1)
                })
        },
        "from_json": Filter { call in
            let text = try call.inputString()
            do throws(JSONError) {
                return Object(try Value(json: text))
            } catch {
                throw Failure("the text is no JSON: \(error.message) at byte \(error.offset)")
            }
        },
        "to_yaml": Filter("indent", "sort_keys", isVariadic: true) { call in
            Object(
                try call.service(
                    .emitYAML(
                        try call.input.value(), nice: false, indent: try call.int(0) ?? 2,
                        sortKeys: try call[1]?.isTrue() ?? true)))
        },
        "to_nice_yaml": Filter("indent", "sort_keys", isVariadic: true) { call in
            Object(
                try call.service(
                    .emitYAML(
                        try call.input.value(), nice: true, indent: try call.int(0) ?? 4,
                        sortKeys: try call[1]?.isTrue() ?? true)))
        },
        "from_yaml": Filter { call in
            guard case .string(let text) = call.input else { return call.input }
            return Object(try call.service(.parseYAML(text)))
        },
        "from_yaml_all": Filter { call in
            if call.input.isNull { return .list([Object]()) }
            guard case .string(let text) = call.input else { return call.input }
            return Object(try call.service(.parseYAMLDocuments(text)))
        },
        "b64encode": Filter("encoding", "urlsafe") { call in
            .string(Base64.encode(try bytes(call, try call.string(0)), isURLSafe: try call.flag(1)))
        },
        "b64decode": Filter("encoding", "urlsafe") { call in
            guard let bytes = Base64.decode(try call.inputText(), isURLSafe: try call.flag(1)) else {
                throw Failure("the text is no Base64")
            }
            return .string(try text(bytes, try call.string(0), call.subject))
        },
        "hash": Filter("hashtype") { try digest($0, try $0.string(0) ?? "sha1") },
        "checksum": Filter { try digest($0, "sha1") },
        "sha1": Filter { try digest($0, "sha1") },
        "md5": Filter { try digest($0, "md5") },
        "to_uuid": Filter("namespace", body: uuid),
        "urlencode": Filter(body: urlEncoded),
        "urldecode": Filter { call in
            .string(URLParts.decoded(StringMethods.replaced(try call.inputText(), "+", " ", limit: -1)))
        },
        "urlsplit": Filter("query") { call in
            let parts = try URLParts(call.inputText())
            guard let name = try call.string(0), !name.isEmpty else { return .dict(parts.object) }
            guard let part = parts.object[name] else {
                throw Failure(
                    "a URL has no part '\(name)'",
                    hint: "there are \(parts.object.entries.keys.compactMap(\.canonicalText).joined(separator: ", "))")
            }
            return part
        },
    ]

    private static func bytes(_ call: Call, _ encoding: String?) throws -> [UInt8] {
        let text = try call.inputText()
        switch encoding?.lowercased() {
        case nil, "utf-8", "utf8": return Array(text.utf8)
        case "utf-16-le", "utf-16le":
            return text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        case "utf-16-be", "utf-16be":
            return text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        case "latin-1", "latin1", "iso-8859-1":
            return try text.unicodeScalars.map { scalar in
                guard let byte = UInt8(exactly: scalar.value) else {
                    throw Failure("'\(scalar)' is not in \(encoding ?? "")")
                }
                return byte
            }
        default: throw Failure("\(call.subject) does not know the encoding '\(encoding ?? "")'")
        }
    }

    private static func text(_ bytes: [UInt8], _ encoding: String?, _ subject: String) throws -> String {
        switch encoding?.lowercased() {
        case nil, "utf-8", "utf8": return String(decoding: bytes, as: UTF8.self)
        case "utf-16-le", "utf-16le":
            return String(
                decoding: stride(from: 0, to: bytes.count - 1, by: 2).map {
                    UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
                },
                as: UTF16.self)
        case "utf-16-be", "utf-16be":
            return String(
                decoding: stride(from: 0, to: bytes.count - 1, by: 2).map {
                    UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
                },
                as: UTF16.self)
        case "latin-1", "latin1", "iso-8859-1": return bytes.map { String(Unicode.Scalar($0)) }.joined()
        default: throw Failure("\(subject) does not know the encoding '\(encoding ?? "")'")
        }
    }

    private static func digest(_ call: Call, _ algorithm: String) throws -> Object {
        Object(try call.service(.digest(algorithm: algorithm, bytes: Array(try call.inputText().utf8))))
    }

    /// A version 5 UUID in Ansible's own namespace (RFC 4122, section 4.3).
    private static func uuid(_ call: Call) throws -> Object {
        let namespace = try call.string(0) ?? "361E6D51-FAEC-444A-9079-341386DA8E2E"
        let digits = namespace.filter(\.isHexDigit)
        guard digits.count == 32 else { throw Failure("'\(namespace)' is no UUID") }
        let scalars = Array(digits)
        let bytes = stride(from: 0, to: 32, by: 2).compactMap { UInt8(String(scalars[$0..<$0 + 2]), radix: 16) }
        let request = TemplateService.digest(algorithm: "sha1", bytes: bytes + Array(try call.inputText().utf8))
        guard case .string(let hash) = try call.service(request), hash.count >= 32 else {
            throw Failure("\(call.subject) got no digest")
        }
        var result = Array(hash.prefix(32).lowercased())
        result[12] = "5"
        let variant = (result[16].hexDigitValue ?? 0) & 0x3 | 0x8
        result[16] = Array("0123456789abcdef")[variant]
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        return .string(groups.map { String(result[$0]) }.joined(separator: "-"))
    }

    private static func urlEncoded(_ call: Call) throws -> Object {
        switch call.input {
        case .dict, .list, .tuple:
            let pairs: [[Object]]
            if case .dict(let dict) = call.input {
                pairs = dict.entries.map { [$0.key.object, $0.value] }
            } else {
                pairs = try call.items().map { try $0.elements() }
            }
            return .string(
                try pairs.map { pair in
                    guard pair.count == 2 else { throw Failure("\(call.subject) needs pairs") }
                    return try pair.map { URLParts.encoded(try $0.text(), isQuery: true) }.joined(separator: "=")
                }.joined(separator: "&"))
        default: return .string(URLParts.encoded(try call.inputText(), isQuery: false))
        }
    }
}
