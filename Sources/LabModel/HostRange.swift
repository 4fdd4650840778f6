import LabCore

/// Host names with ranges (`w[1:3]`, `db-[a:c]`, `n[01:10:2]`) and ports (`w1:2222`), as inventories write them.
enum HostRange {
    /// Why a range is wrong, in a sentence.
    struct Wrong: Error { let message: String }

    /// The names that a host entry stands for, and the port that it ends with.
    static func expand(_ pattern: String) throws(Wrong) -> (names: [String], port: Int?) {
        let (base, port) = splitPort(pattern)
        return (try names(base), port)
    }

    /// Splits `host:port` and `[address]:port`; anything else is a name as a whole.
    static func splitPort(_ text: String) -> (String, Int?) {
        guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(digits) else {
            return (text, nil)
        }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), host.dropFirst().dropLast().allSatisfy({ $0 != "[" && $0 != "]" })
        {
            let inside = host.dropFirst().dropLast()
            // `[1:3]:22` would be a range with a port, but a range alone is no host name.
            return (String(inside), port)
        }
        var depth = 0
        for character in host {
            if character == "[" { depth += 1 }
            if character == "]" { depth -= 1 }
            // A colon outside of brackets: an IPv6 address without a port.
            if character == ":", depth == 0 { return (text, nil) }
        }
        return depth == 0 && !host.isEmpty ? (String(host), port) : (text, nil)
    }

    private static func names(_ text: String) throws(Wrong) -> [String] {
        guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") else { return [text] }
        let head = text[..<open]
        let tails = try names(String(text[text.index(after: close)...]))
        let parts = text[text.index(after: open)..<close].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else {
            throw Wrong(message: "a host range is written [begin:end] or [begin:end:step]")
        }
        let begin = parts[0].isEmpty ? "0" : String(parts[0])
        let end = String(parts[1])
        guard !end.isEmpty else { throw Wrong(message: "the host range has no end") }
        var step = 1
        if parts.count == 3 {
            guard let value = Int(parts[2]), value > 0 else {
                throw Wrong(message: "the step of the host range is no positive number")
            }
            step = value
        }
        let members: [String]
        if let letters = try letters(begin, end, step) {
            members = letters
        } else {
            members = try numbers(begin, end, step)
        }
        return members.flatMap { member in tails.map { head + member + $0 } }
    }

    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

    private static func letters(_ begin: String, _ end: String, _ step: Int) throws(Wrong) -> [String]? {
        guard begin.count == 1, end.count == 1, let from = begin.first.flatMap(alphabet.firstIndex(of:)),
            let to = end.first.flatMap(alphabet.firstIndex(of:))
        else { return nil }
        guard from <= to else { throw Wrong(message: "the host range ends before it begins") }
        return stride(from: from, through: to, by: step).map { String(alphabet[$0]) }
    }

    private static func numbers(_ begin: String, _ end: String, _ step: Int) throws(Wrong) -> [String] {
        guard let from = Int(begin), let to = Int(end), from >= 0, to >= 0 else {
            throw Wrong(message: "a host range goes from number to number, or from letter to letter")
        }
        let width = begin.count > 1 && begin.hasPrefix("0") ? begin.count : 0
        guard width == 0 || width == end.count else {
            throw Wrong(message: "begin and end of a host range with leading zeros are equally long")
        }
        guard from <= to else { throw Wrong(message: "the host range ends before it begins") }
        guard (to - from) / step < 100_000 else { throw Wrong(message: "the host range has more than 100000 hosts") }
        return stride(from: from, through: to, by: step).map { number in
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
    }
}
