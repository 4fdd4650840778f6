import LabCore
import OrderedCollections

extension Inventory {
    /// The hosts that a pattern selects, as Ansible resolves it: `workers`, `cp1,w*`, `all:!w2`, `lab:&workers`,
    /// `workers[0]`, `workers[0:1]`, `~w[12]`.
    ///
    /// - Parameter span: where the pattern is written, for errors.
    /// - Throws: `InputError` when a part of the pattern names no host and no group, with the nearest name.
    package func hosts(matching pattern: String, span: SourceSpan? = nil) throws(InputError) -> [Host] {
        try hosts(matching: [pattern], span: span)
    }

    /// The hosts that a list of patterns selects together, without those that `limit` does not select.
    package func hosts(
        matching patterns: [String], limit: String? = nil, span: SourceSpan? = nil
    ) throws(InputError) -> [Host] {
        let selected = try evaluate(patterns.flatMap(HostPattern.split), span: span)
        guard let limit else { return selected }
        let typed = SourceFile(path: "<command line>", text: limit)
        let span = typed.span(0..<typed.bytes.count)
        let allowed = Set(try evaluate(HostPattern.split(limit), span: span).map(\.name))
        return selected.filter { allowed.contains($0.name) }
    }

    private func evaluate(_ patterns: [String], span: SourceSpan?) throws(InputError) -> [Host] {
        // Whatever the order in which they are written, exclusions come last and intersections before them.
        var regular = patterns.filter { !$0.hasPrefix("!") && !$0.hasPrefix("&") }
        if regular.isEmpty, !patterns.isEmpty { regular = ["all"] }
        var names: OrderedSet<String> = []
        var implicit: [String: Host] = [:]
        for pattern in regular {
            if hosts[pattern] != nil {
                names.append(pattern)
                continue
            }
            for host in try matches(pattern, span: span) {
                names.append(host.name)
                if host.isImplicit { implicit[host.name] = host }
            }
        }
        for pattern in patterns where pattern.hasPrefix("&") {
            let kept = Set(try matches(String(pattern.dropFirst()), span: span).map(\.name))
            names = names.filter { kept.contains($0) }
        }
        for pattern in patterns where pattern.hasPrefix("!") {
            names.subtract(try matches(String(pattern.dropFirst()), span: span).map(\.name))
        }
        return names.compactMap { hosts[$0] ?? implicit[$0] }
    }

    private func matches(_ pattern: String, span: SourceSpan?) throws(InputError) -> [Host] {
        if let host = hosts[pattern] { return [host] }
        let (expression, choice) = HostPattern.splitSubscript(pattern)
        let matcher = try HostPattern.Matcher(expression, span: span)
        var found: OrderedSet<String> = []
        var matchedGroup = false
        for group in groups.keys where matcher.matches(group) {
            matchedGroup = true
            found.append(contentsOf: hostNames(inGroup: group))
        }
        if !matchedGroup || matcher.isOpen {
            for host in hosts.keys where matcher.matches(host) { found.append(host) }
        }
        if found.isEmpty, !matchedGroup {
            if HostPattern.localhostNames.contains(expression) { return [.implicitLocalhost(expression)] }
            throw noMatch(expression, span: span)
        }
        let hosts = found.compactMap { self.hosts[$0] }
        guard let choice else { return hosts }
        guard let chosen = choice.apply(to: hosts) else {
            throw InputError(
                "the pattern '\(pattern)' asks for more hosts than '\(expression)' has", span: span,
                notes: [Diagnostic.Note("'\(expression)' has \(hosts.count) hosts, counted from 0")])
        }
        return chosen
    }

    private func noMatch(_ expression: String, span: SourceSpan?) -> InputError {
        let known = Array(hosts.keys) + Array(groups.keys)
        let near = nearestName(to: expression, among: known)
        let list = hosts.isEmpty ? "the inventory has no hosts" : "hosts: \(hosts.keys.joined(separator: ", "))"
        return InputError(
            "no host or group '\(expression)' in the inventory", span: span, notes: [Diagnostic.Note(list)],
            hint: near.map { "did you mean '\($0)'?" })
    }
}

/// Parts of host patterns.
enum HostPattern {
    static let localhostNames: Set<String> = ["localhost", "127.0.0.1", "::1"]

    /// Splits at commas, or else at colons outside of brackets that are not those of an IPv6 address.
    static func split(_ pattern: String) -> [String] {
        let parts: [Substring]
        if pattern.contains(",") {
            parts = pattern.split(separator: ",")
        } else if isAddress(pattern) {
            parts = [pattern[...]]
        } else {
            parts = splitAtColons(pattern)
        }
        return parts.map { String($0.trimmed) }.filter { !$0.isEmpty }
    }

    private static func splitAtColons(_ pattern: String) -> [Substring] {
        var parts: [Substring] = []
        var start = pattern.startIndex
        var depth = 0
        for index in pattern.indices {
            switch pattern[index] {
            case "[": depth += 1
            case "]": depth = max(0, depth - 1)
            case ":" where depth == 0:
                parts.append(pattern[start..<index])
                start = pattern.index(after: index)
            default: break
            }
        }
        parts.append(pattern[start...])
        return parts
    }

    /// Whether the text is an IPv6 address: at least two colons, and nothing but hexadecimal digits around them.
    private static func isAddress(_ text: String) -> Bool {
        let colons = text.count { $0 == ":" }
        return colons >= 2 && text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
    }

    struct Subscript {
        let start: Int
        /// nil for a single host; -1 for the last one.
        let end: Int?

        /// nil when there is no such host.
        func apply(to hosts: [Host]) -> [Host]? {
            guard let end else {
                let index = start < 0 ? hosts.count + start : start
                return hosts.indices.contains(index) ? [hosts[index]] : nil
            }
            let last = end < 0 ? hosts.count - 1 : min(end, hosts.count - 1)
            return start <= last ? Array(hosts[start...last]) : []
        }
    }

    static func splitSubscript(_ pattern: String) -> (String, Subscript?) {
        guard !pattern.hasPrefix("~"), pattern.hasSuffix("]"), let open = pattern.lastIndex(of: "["),
            open != pattern.startIndex
        else { return (pattern, nil) }
        let inside = pattern[pattern.index(after: open)...].dropLast()
        let base = String(pattern[..<open])
        if let index = Int(inside), !inside.hasPrefix("+") { return (base, Subscript(start: index, end: nil)) }
        guard let separator = inside.firstIndex(where: { $0 == ":" || $0 == "-" }),
            let start = Int(inside[..<separator]), start >= 0
        else { return (pattern, nil) }
        let rest = inside[inside.index(after: separator)...]
        if rest.isEmpty { return (base, Subscript(start: start, end: -1)) }
        guard let end = Int(rest), end >= 0 else { return (pattern, nil) }
        return (base, Subscript(start: start, end: end))
    }

    /// A shell pattern (`*`, `?`, `[ab]`, `[!ab]`), or a regular expression after `~`.
    struct Matcher {
        /// Whether the pattern is matched against hosts even when a group has matched it.
        let isOpen: Bool
        private let glob: [Character]
        private let regularExpression: RegularExpression?

        init(_ pattern: String, span: SourceSpan?) throws(InputError) {
            glob = Array(pattern)
            if pattern.hasPrefix("~") {
                isOpen = true
                do {
                    regularExpression = try RegularExpression(String(pattern.dropFirst()))
                } catch {
                    throw InputError("'\(pattern.dropFirst())' is no regular expression", span: span)
                }
            } else {
                isOpen = pattern.contains { ".?*[".contains($0) }
                regularExpression = nil
            }
        }

        func matches(_ name: String) -> Bool {
            if let regularExpression { return regularExpression.matchesStart(of: name) }
            return globMatches(glob[...], Array(name)[...])
        }
    }
}

/// fnmatch(3) without special treatment of dots and slashes.
func globMatches(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    switch first {
    case "*":
        let rest = pattern.dropFirst()
        return (text.startIndex...text.endIndex).contains { globMatches(rest, text[$0...]) }
    case "?": return !text.isEmpty && globMatches(pattern.dropFirst(), text.dropFirst())
    case "[":
        guard let character = text.first, let (set, rest) = globSet(pattern) else { break }
        return set(character) && globMatches(rest, text.dropFirst())
    default: break
    }
    return text.first == first && globMatches(pattern.dropFirst(), text.dropFirst())
}

private func globSet(
    _ pattern: ArraySlice<Character>
) -> (matches: (Character) -> Bool, rest: ArraySlice<Character>)? {
    var index = pattern.startIndex + 1
    guard index < pattern.endIndex else { return nil }
    let isNegated = pattern[index] == "!"
    if isNegated { index += 1 }
    let start = index
    if index < pattern.endIndex, pattern[index] == "]" { index += 1 }
    while index < pattern.endIndex, pattern[index] != "]" { index += 1 }
    guard index < pattern.endIndex else { return nil }
    let members = Array(pattern[start..<index])
    let matches: (Character) -> Bool = { character in
        var position = 0
        while position < members.count {
            if position + 2 < members.count, members[position + 1] == "-" {
                if members[position] <= character, character <= members[position + 2] { return !isNegated }
                position += 3
            } else {
                if members[position] == character { return !isNegated }
                position += 1
            }
        }
        return isNegated
    }
    return (matches, pattern[(index + 1)...])
}
