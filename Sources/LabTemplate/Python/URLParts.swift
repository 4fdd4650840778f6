/// A URL, cut as Python's `urllib.parse.urlsplit` does.
struct URLParts {
    private var scheme = ""
    private var authority = ""
    private var path = ""
    private var query = ""
    private var fragment = ""

    init(_ text: String) {
        // As Python: no control characters or spaces before the URL, no line breaks and tabs in it.
        let cleaned = text.unicodeScalars.drop { $0.value <= 0x20 }.filter { !["\t", "\r", "\n"].contains($0) }
        var rest = Substring(cleaned.map(String.init).joined())
        if let colon = rest.firstIndex(of: ":"), let first = rest.first, first.isASCII, first.isLetter,
            rest[..<colon].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        }
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
            authority = String(rest[..<end])
            rest = rest[end...]
        }
        if let hash = rest.firstIndex(of: "#") {
            fragment = String(rest[rest.index(after: hash)...])
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        path = String(rest)
    }

    /// The parts under the names that Python gives them.
    var object: DictBox {
        let at = authority.lastIndex(of: "@")
        let user = at.map { authority[..<$0] }
        let host = at.map { authority[authority.index(after: $0)...] } ?? authority[...]
        let userColon = user?.firstIndex(of: ":")
        var name = host
        var port: Substring = ""
        if host.hasPrefix("["), let close = host.firstIndex(of: "]") {
            name = host[host.index(after: host.startIndex)..<close]
            port = host[host.index(after: close)...].drop { $0 == ":" }
        } else if let colon = host.firstIndex(of: ":") {
            name = host[..<colon]
            port = host[host.index(after: colon)...]
        }
        let dict = DictBox()
        dict.set(.string("fragment"), .string(fragment))
        dict.set(.string("hostname"), name.isEmpty ? .null : .string(name.lowercased()))
        dict.set(.string("netloc"), .string(authority))
        dict.set(
            .string("password"),
            userColon.flatMap { colon in user.map { .string(String($0[$0.index(after: colon)...])) } } ?? .null)
        dict.set(.string("path"), .string(path))
        dict.set(.string("port"), Int(port).map { .int($0) } ?? .null)
        dict.set(.string("query"), .string(query))
        dict.set(.string("scheme"), .string(scheme))
        dict.set(
            .string("username"),
            user.map { .string(String(userColon.map { colon in user?[..<colon] ?? "" } ?? $0)) } ?? .null)
        return dict
    }

    private static func allowed(_ call: Call) throws -> [String]? {
        try call.given(0)?.elements().map { try $0.text() }
    }

    /// Whether a text passes Ansible's test `uri`: Python takes every text apart, so only the schemes decide.
    static func isURI(_ text: String, _ call: Call) throws -> Bool {
        guard let schemes = try allowed(call), !schemes.isEmpty else { return true }
        return schemes.contains(URLParts(text).scheme)
    }

    static func isURL(_ text: String, _ call: Call) throws -> Bool {
        let parts = URLParts(text)
        return try isURI(text, call) && (!parts.authority.isEmpty || parts.scheme == "file")
    }

    /// `quote()`, or with `isQuery` `quote_plus()`.
    static func encoded(_ text: String, isQuery: Bool) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if byte.isDigit || (byte < 0x80 && byte.isNameStart) || "-.~".utf8.contains(byte)
                || (byte == UInt8(ascii: "/") && !isQuery)
            {
                result.append(byte)
            } else if isQuery, byte == 0x20 {
                result.append(UInt8(ascii: "+"))
            } else {
                result += Array("%\(Python.hexadecimal(UInt32(byte), 2).uppercased())".utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `unquote()`.
    static func decoded(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                bytes[index + 1...index + 2].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
