import LabCore

/// A label selector, as `labelSelector=` and as objects hold it.
struct LabelSelector: Sendable {
    enum Requirement: Sendable {
        case isIn(String, [String])
        case isNotIn(String, [String])
        case exists(String)
        case absent(String)
    }

    var requirements: [Requirement] = []

    /// Reads the text of a query: `a=b,c!=d,e in (f,g),h,!i`.
    init(_ text: String) throws(APIStatus) {
        var depth = 0
        var parts = [""]
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
        }
        for part in parts.map({ $0.trimmed }) where !part.isEmpty {
            if let range = part.firstRange(of: "!=") {
                requirements.append(.isNotIn(part[..<range.lowerBound].trimmed, [part[range.upperBound...].trimmed]))
            } else if let range = part.firstRange(of: "==") ?? part.firstRange(of: "=") {
                requirements.append(.isIn(part[..<range.lowerBound].trimmed, [part[range.upperBound...].trimmed]))
            } else if part.hasSuffix(")"), let open = part.firstIndex(of: "(") {
                let words = part[..<open].split(separator: " ")
                let values = part[part.index(after: open)...].dropLast().split(separator: ",").map { $0.trimmed }
                guard words.count == 2, ["in", "notin"].contains(words[1]) else { throw Self.unreadable(text) }
                requirements.append(
                    words[1] == "in" ? .isIn(String(words[0]), values) : .isNotIn(String(words[0]), values))
            } else if part.hasPrefix("!") {
                requirements.append(.absent(part.dropFirst().trimmed))
            } else if part.contains(" ") {
                throw Self.unreadable(text)
            } else {
                requirements.append(.exists(part))
            }
        }
    }

    private static func unreadable(_ text: String) -> APIStatus {
        .badRequest("unable to parse requirement: invalid label selector \"\(text)\"")
    }

    /// Reads `matchLabels` and `matchExpressions`.
    init(object: Value) {
        for (key, value) in object["matchLabels"]?.map ?? [:] { requirements.append(.isIn(key, [value.string ?? ""])) }
        for expression in object["matchExpressions"]?.list ?? [] {
            let key = expression["key"]?.string ?? ""
            let values = expression["values"]?.list?.compactMap(\.string) ?? []
            switch expression["operator"]?.string {
            case "In": requirements.append(.isIn(key, values))
            case "NotIn": requirements.append(.isNotIn(key, values))
            case "Exists": requirements.append(.exists(key))
            default: requirements.append(.absent(key))
            }
        }
    }

    func matches(_ labels: ValueMap) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isIn(let key, let values): labels[key]?.string.map(values.contains) ?? false
            case .isNotIn(let key, let values): !(labels[key]?.string.map(values.contains) ?? false)
            case .exists(let key): labels[key] != nil
            case .absent(let key): labels[key] == nil
            }
        }
    }
}

/// A field selector: `metadata.name=x,involvedObject.name!=y`.
struct FieldSelector: Sendable {
    private var terms: [(path: [String], value: String, isEqual: Bool)] = []

    private static let supported: Set<String> = [
        "metadata.name", "metadata.namespace", "involvedObject.name", "involvedObject.namespace",
        "involvedObject.kind", "involvedObject.uid", "reason", "type", "status.phase", "spec.nodeName",
        "reportingComponent",
    ]

    /// - Throws: 400 for a field that the sandbox does not select by.
    init(_ text: String) throws(APIStatus) {
        for part in text.split(separator: ",") {
            let isEqual = !part.contains("!=")
            guard let range = part.firstRange(of: isEqual ? (part.contains("==") ? "==" : "=") : "!=") else {
                throw APIStatus.badRequest("invalid selector: '\(text)'; can't understand '\(part)'")
            }
            let field = String(part[..<range.lowerBound])
            guard Self.supported.contains(field) else {
                throw APIStatus.badRequest("field label not supported: \(field)")
            }
            terms.append((field.split(separator: ".").map { String($0) }, String(part[range.upperBound...]), isEqual))
        }
    }

    func matches(_ object: Value) -> Bool {
        terms.allSatisfy { ((object[path: $0.path]?.string ?? "") == $0.value) == $0.isEqual }
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
