/// Comparing versions as Ansible's test `version` does.
enum Version {
    private static let operators: [String: Comparison] = [
        "==": .equal, "=": .equal, "eq": .equal, "<": .less, "lt": .less, "<=": .lessOrEqual, "le": .lessOrEqual,
        ">": .greater, "gt": .greater, ">=": .greaterOrEqual, "ge": .greaterOrEqual, "!=": .notEqual, "<>": .notEqual,
        "ne": .notEqual,
    ]

    static func compare(_ left: String, _ right: String, by name: String, type: String) throws -> Bool {
        guard let comparison = operators[name] else {
            throw Failure("'\(name)' does not compare versions", hint: "there are eq, ne, lt, le, gt and ge")
        }
        let order: Int
        switch type {
        case "loose":
            let (a, b) = (loose(left), loose(right))
            do {
                if try Object.areEqual(a, b) {
                    order = 0
                } else {
                    order = try Object.list(a).isLess(than: .list(b)) ? -1 : 1
                }
            } catch {
                throw Failure(
                    "the versions '\(left)' and '\(right)' cannot be compared: one has a number where the other has letters"
                )
            }
        case "strict": order = compare(try strict(left), try strict(right))
        case "semver", "semantic": order = compare(try semantic(left), try semantic(right))
        case "pep440": order = compare(try PythonVersion(left).key, try PythonVersion(right).key)
        default: throw Failure("unknown version type '\(type)'", hint: "there are loose, strict, semver and pep440")
        }
        return switch comparison {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        default: order >= 0
        }
    }

    /// `(\d+ | [a-z]+ | \.)` and what is between; dots fall away.
    private static func loose(_ text: String) -> [Object] {
        enum Kind { case digit, letter, dot, other }
        func kind(_ scalar: Unicode.Scalar) -> Kind {
            switch scalar {
            case "0"..."9": .digit
            case "a"..."z": .letter
            case ".": .dot
            default: .other
            }
        }
        var result: [Object] = []
        var current = ""
        var last: Kind?
        func flush() {
            if !current.isEmpty, current != "." { result.append(Int(current).map { .int($0) } ?? .string(current)) }
            current = ""
        }
        for scalar in text.unicodeScalars {
            let next = kind(scalar)
            if next != last || next == .dot { flush() }
            current.unicodeScalars.append(scalar)
            last = next
        }
        flush()
        return result
    }

    /// `1.2`, `1.2.3`, `1.2a3`, `1.2.3b4`.
    private static func strict(_ text: String) throws -> [VersionPart] {
        guard let match = try Pattern("^(\\d+)\\.(\\d+)(\\.(\\d+))?([ab](\\d+))?$").firstMatch(in: text, .match) else {
            throw Failure("'\(text)' is no strict version", hint: "it looks like 1.2, 1.2.3 or 1.2.3b4")
        }
        let numbers = [1, 2, 4].map { VersionPart.number(match.text($0).flatMap { Int($0) } ?? 0) }
        guard let pre = match.text(5) else { return numbers + [.text("~")] }
        return numbers + [.text(String(pre.prefix(1))), .number(Int(pre.dropFirst()) ?? 0)]
    }

    /// Semantic versioning 2.0.0, section 11.
    private static func semantic(_ text: String) throws -> [VersionPart] {
        let pattern = "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-([0-9A-Za-z.-]+))?(?:\\+[0-9A-Za-z.-]+)?$"
        guard let match = try Pattern(pattern).firstMatch(in: text, .match) else {
            throw Failure("'\(text)' is no semantic version", hint: "it looks like 1.2.3 or 1.2.3-rc.1")
        }
        let numbers = (1...3).map { VersionPart.number(match.text($0).flatMap { Int($0) } ?? 0) }
        guard let pre = match.text(4) else { return numbers + [.last] }
        return numbers
            + pre.split(separator: ".").map { part in Int(part).map { .number($0) } ?? .text(String(part)) }
    }

    static func compare(_ a: [VersionPart], _ b: [VersionPart]) -> Int {
        for (left, right) in zip(a, b) where left != right { return left < right ? -1 : 1 }
        return a.count == b.count ? 0 : a.count < b.count ? -1 : 1
    }
}

/// Numbers are below texts.
enum VersionPart: Comparable {
    case first
    case number(Int)
    case text(String)
    case last
}

/// A version of PEP 440.
struct PythonVersion {
    let key: [VersionPart]

    init(_ text: String) throws {
        let pattern =
            "^v?(?:(\\d+)!)?(\\d+(?:\\.\\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\\d+)?)?"
            + "(?:-(\\d+)|[-_.]?(post|rev|r)[-_.]?(\\d+)?)?(?:[-_.]?(dev)[-_.]?(\\d+)?)?(?:\\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$"
        let trimmed = StringMethods.stripped(text, nil).lowercased()
        guard let match = try Pattern(pattern).firstMatch(in: trimmed, .match) else {
            throw Failure("'\(text)' is no version of PEP 440")
        }
        func number(_ group: Int) -> VersionPart { .number(match.text(group).flatMap { Int($0) } ?? 0) }
        var release = (match.text(2) ?? "").split(separator: ".").map { Int($0) ?? 0 }
        while release.count > 1, release.last == 0 { release.removeLast() }
        // The release is padded so that what follows stands at the same place in every key.
        release += Array(repeating: 0, count: max(0, 16 - release.count))
        var key: [VersionPart] = [number(1)] + release.map { .number($0) }
        let hasPost = match.text(5) != nil || match.text(6) != nil
        if let pre = match.text(3) {
            let letter = ["alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"][pre] ?? pre
            key += [.text(letter), number(4)]
        } else {
            key += [match.text(8) != nil && !hasPost ? .first : .last, .number(0)]
        }
        key.append(hasPost ? (match.text(5) != nil ? number(5) : number(7)) : .first)
        key.append(match.text(8) != nil ? number(9) : .last)
        if let local = match.text(10) {
            key += local.split { "-_.".contains($0) }.map { part in
                Int(part).map { .last(after: $0) } ?? .text(String(part))
            }
        }
        self.key = key
    }
}

extension VersionPart {
    /// In local versions numbers are above texts: their digits, lengthened so that texts compare them.
    fileprivate static func last(after number: Int) -> VersionPart {
        let digits = String(number)
        return .text("~" + String(repeating: "0", count: max(0, 20 - digits.count)) + digits)
    }
}
