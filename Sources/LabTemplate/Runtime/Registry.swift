import LabCore

/// A filter: how its arguments are called and what it does.
struct Filter: Sendable {
    let parameters: [String]
    let required: Int
    let isVariadic: Bool
    /// Whether it wants to see undefined values; else the result for them is undefined without calling it.
    let takesUndefined: Bool
    let body: @Sendable (Call) throws -> Object

    init(
        _ parameters: String..., required: Int = 0, isVariadic: Bool = false, takesUndefined: Bool = false,
        body: @escaping @Sendable (Call) throws -> Object
    ) {
        self.parameters = parameters
        self.required = required
        self.isVariadic = isVariadic
        self.takesUndefined = takesUndefined
        self.body = body
    }
}

/// A test, what stands behind `is`.
struct Test: Sendable {
    let parameters: [String]
    let required: Int
    let isVariadic: Bool
    let takesUndefined: Bool
    let body: @Sendable (Call) throws -> Bool

    init(
        _ parameters: String..., required: Int = 0, isVariadic: Bool = false, takesUndefined: Bool = false,
        body: @escaping @Sendable (Call) throws -> Bool
    ) {
        self.parameters = parameters
        self.required = required
        self.isVariadic = isVariadic
        self.takesUndefined = takesUndefined
        self.body = body
    }
}

/// All filters and tests by name.
enum Registry {
    private static let filters: [String: Filter] = merged([
        Filters.texts, Filters.numbers, Filters.lists, Filters.selections, Filters.sets, Filters.maps,
        Filters.encodings,
        Filters.expressions, Filters.paths, Filters.values, Filters.random,
    ])

    private static let tests: [String: Test] = merged([Tests.types, Tests.comparisons, Tests.results, Tests.texts])

    private static func merged<Entry>(_ groups: [[String: Entry]]) -> [String: Entry] {
        groups.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
    }

    /// The name without the collections that are built in.
    static func plainName(_ name: String) -> String {
        for prefix in ["ansible.builtin.", "ansible.legacy."] where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }

    static func filter(named name: String) -> Filter? { filters[plainName(name)] }
    static func test(named name: String) -> Test? { tests[plainName(name)] }

    /// Filters that exist elsewhere, and what can be said about them.
    private static let elsewhere: [String: String] = [
        "json_query": "use selectattr, map and the like; filters of community.general are not available",
        "password_hash": "hash the password beforehand and keep the hash in a variable",
        "vault": "vaults are not available in templates",
        "unvault": "vaults are not available in templates",
        "to_datetime": "dates are not available; compare seconds as numbers",
        "fileglob": "use the lookup 'fileglob'",
        "pprint": "use to_nice_json",
    ]

    static func unknownFilter(_ name: String, at range: Range<Int>?) -> Failure {
        let plain = plainName(name)
        var failure = Failure("unknown filter '\(name)'", kind: .unknownFilter(name), range: range)
        let last = plain.split(separator: ".").last.map(String.init) ?? plain
        if let note = elsewhere[last] {
            failure.hint = note
        } else if last.hasPrefix("ip")
            || ["cidr_merge", "nthhost", "hwaddr", "macaddr", "network_in_usable"].contains(last)
        {
            failure.hint = "the filters of ansible.utils and ansible.netcommon are not available"
        } else if plain.contains("."), filters[last] != nil {
            failure.hint = "did you mean '\(last)'?"
        } else {
            failure.hint =
                suggestion(for: plain, among: filters.keys.sorted())
                ?? (tests[plain] != nil ? "'\(plain)' is a test: write 'is \(plain)'" : nil)
        }
        return failure
    }

    static func unknownTest(_ name: String, at range: Range<Int>?) -> Failure {
        let plain = plainName(name)
        var failure = Failure("unknown test '\(name)'", kind: .unknownTest(name), range: range)
        let last = plain.split(separator: ".").last.map(String.init) ?? plain
        if plain.contains("."), tests[last] != nil {
            failure.hint = "did you mean '\(last)'?"
        } else {
            failure.hint =
                suggestion(for: plain, among: tests.keys.sorted())
                ?? (filters[plain] != nil ? "'\(plain)' is a filter: write '… | \(plain)'" : nil)
        }
        return failure
    }

    static func failure(for use: Parser.NameUse) -> Failure? {
        switch use.kind {
        case .filter: filter(named: use.name) == nil ? unknownFilter(use.name, at: use.range) : nil
        case .test: test(named: use.name) == nil ? unknownTest(use.name, at: use.range) : nil
        }
    }

    static func isFilter(_ name: String) -> Bool { filter(named: name) != nil }
    static func isTest(_ name: String) -> Bool { test(named: name) != nil }
}
