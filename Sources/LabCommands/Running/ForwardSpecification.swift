import LabSSH

/// One forward of the command line, in the form of ssh(1)'s -L: `[BIND:]PORT:TARGET:PORT` or `[BIND:]PORT:/SOCKET`.
struct ForwardSpecification: Sendable, Equatable {
    struct Mistake: Error, Equatable { let message: String }

    /// What to listen on; `*` for all addresses.
    var bind: String
    /// 0 for a free one.
    var port: Int
    var target: PortForward.Target

    /// - Throws: what is wrong with the text, as a sentence without it.
    init(_ text: String) throws(Mistake) {
        var parts = try Self.split(text)
        if let path = parts.last, path.hasPrefix("/") {
            parts.removeLast()
            target = .socket(path)
        } else {
            guard parts.count >= 2, let last = parts.popLast(), let host = parts.popLast() else {
                throw Mistake(message: "it has no target: write PORT:TARGET:PORT, as in 8443:127.0.0.1:6443")
            }
            guard !host.isEmpty else { throw Mistake(message: "the target has no host") }
            target = .port(host: host, port: try Self.port(last, allowsZero: false))
        }
        guard let own = parts.popLast() else {
            throw Mistake(message: "it has no port to listen on: write PORT:TARGET:PORT, as in 8443:127.0.0.1:6443")
        }
        port = try Self.port(own, allowsZero: true)
        // Empty means all addresses, as with ssh.
        bind = parts.popLast().map { $0.isEmpty ? "*" : $0 } ?? "localhost"
        guard parts.isEmpty else {
            throw Mistake(
                message: "it has too many parts; an IPv6 address stands in brackets, as in [::1]:8443:[fd00::1]:443")
        }
    }

    /// The parts between colons, those in brackets whole. A path takes the rest, whatever is in it.
    private static func split(_ text: String) throws(Mistake) -> [String] {
        var parts: [String] = []
        var rest = text[...]
        while true {
            if rest.hasPrefix("/"), !parts.isEmpty { return parts + [String(rest)] }
            if rest.hasPrefix("[") {
                guard let end = rest.firstIndex(of: "]") else { throw Mistake(message: "a bracket is not closed") }
                parts.append(String(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
                guard rest.isEmpty || rest.hasPrefix(":") else {
                    throw Mistake(message: "after a bracket comes a colon")
                }
            } else {
                let part = rest.prefix { $0 != ":" }
                parts.append(String(part))
                rest = rest[part.endIndex...]
            }
            guard rest.hasPrefix(":") else { return parts }
            rest = rest.dropFirst()
        }
    }

    private static func port(_ text: String, allowsZero: Bool) throws(Mistake) -> Int {
        guard let number = UInt16(text), allowsZero || number > 0 else {
            throw Mistake(message: "`\(text)` is no port")
        }
        return Int(number)
    }
}
