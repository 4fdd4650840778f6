/// One argument of `labctl cp`: a path here, or `HOST:PATH`.
enum CopyLocation: Equatable, Sendable {
    case here(String)
    /// Hosts by a pattern, perhaps with a user.
    case there(user: String?, pattern: String, path: String)

    /// As scp(1) tells them apart: a colon before any slash makes a host of what is in front of it. Brackets of a pattern,
    /// as in `web[0:2]`, and of an IPv6 address may hold colons. `./a:b` is a file here.
    init(_ text: String) {
        var depth = 0
        for index in text.indices {
            switch text[index] {
            case "[": depth += 1
            case "]": depth -= 1
            case "/" where depth <= 0:
                self = .here(text)
                return
            case ":" where depth <= 0 && index != text.startIndex:
                let (user, pattern) = Reach.split(String(text[..<index]))
                var name = pattern
                if name.hasPrefix("["), name.hasSuffix("]"), name.contains(":") {
                    name = String(name.dropFirst().dropLast())
                }
                self = .there(user: user, pattern: name, path: String(text[text.index(after: index)...]))
                return
            default: break
            }
        }
        self = .here(text)
    }

    var path: String {
        switch self {
        case .here(let path), .there(_, _, let path): path
        }
    }
}
