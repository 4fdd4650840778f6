/// A duration by the rules of Go's `time.ParseDuration`, which the API's `metav1.Duration` follows.
package struct GoDuration: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let nanoseconds: Int

    package init(nanoseconds: Int) { self.nanoseconds = nanoseconds }

    /// Go's sentence of why a text is no duration.
    package struct Refusal: Error, Hashable {
        package let message: String

        package init(message: String) { self.message = message }
    }

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    package init(_ text: String) throws(Refusal) {
        let invalid = Refusal(message: "time: invalid duration \(goQuoted(text))")
        var rest = text[...]
        var sign = 1.0
        if let first = rest.first, first == "-" || first == "+" {
            if first == "-" { sign = -1 }
            rest.removeFirst()
        }
        if rest == "0" {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty else { throw invalid }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard let number = Double(digits), digits.last?.isNumber == true || digits.first?.isNumber == true else {
                throw invalid
            }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !($0.isASCII && $0.isNumber || $0 == ".") }
            guard !unit.isEmpty else {
                throw Refusal(message: "time: missing unit in duration \(goQuoted(text))")
            }
            guard let factor = Self.units.first(where: { $0.name == unit })?.nanoseconds else {
                throw Refusal(message: "time: unknown unit \(goQuoted(unit)) in duration \(goQuoted(text))")
            }
            total += number * factor
            rest = rest.dropFirst(unit.count)
        }
        guard total < 9.2e18 else { throw invalid }
        nanoseconds = Int(sign * total)
    }

    /// Whole seconds, cut off.
    package var seconds: Int { nanoseconds / 1_000_000_000 }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// As Go prints it: `1m30s`.
    package var description: String {
        guard nanoseconds != 0 else { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let size = nanoseconds.magnitude
        func fraction(of unit: UInt) -> String {
            let whole = size / unit
            var digits = String(size % unit + unit).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            return digits.isEmpty ? "\(whole)" : "\(whole).\(digits)"
        }
        if size < 1000 { return "\(sign)\(size)ns" }
        if size < 1_000_000 { return sign + fraction(of: 1000) + "µs" }
        if size < 1_000_000_000 { return sign + fraction(of: 1_000_000) + "ms" }
        let minutes = size / 60_000_000_000
        let rest = GoDuration.seconds(size % 60_000_000_000)
        if minutes == 0 { return "\(sign)\(rest)s" }
        return minutes < 60 ? "\(sign)\(minutes)m\(rest)s" : "\(sign)\(minutes / 60)h\(minutes % 60)m\(rest)s"
    }

    private static func seconds(_ nanoseconds: UInt) -> String {
        var digits = String(nanoseconds % 1_000_000_000 + 1_000_000_000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        let whole = nanoseconds / 1_000_000_000
        return digits.isEmpty ? "\(whole)" : "\(whole).\(digits)"
    }
}
