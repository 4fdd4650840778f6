import OrderedCollections

extension Filters {
    /// Ansible goes through Python sets, whose order is none; here results keep the order of the first list, then of
    /// the second.
    static let sets: [String: Filter] = [
        "unique": Filter("case_sensitive", "attribute") { call in
            // Unlike jinja2's, Ansible's filter passes "case sensitive: false" on only when it was asked for.
            let ignoresCase = try !call.flag(0)
            return .list(
                try unique(call.items()) { item in
                    try foldedCase(try call.given(1).map { try call.evaluator.path($0, in: item) } ?? item, ignoresCase)
                })
        },
        "union": Filter("b", required: 1) { .list(try unique($0.items() + second($0)) { $0 }) },
        "intersect": Filter("b", required: 1) { call in
            let other = try Membership(second(call))
            return .list(try unique(call.items().filter { try other.contains($0) }) { $0 })
        },
        "difference": Filter("b", required: 1) { call in
            let other = try Membership(second(call))
            return .list(try unique(call.items().filter { try !other.contains($0) }) { $0 })
        },
        "symmetric_difference": Filter("b", required: 1) { call in
            let (a, b) = (try call.items(), try second(call))
            let (inA, inB) = (try Membership(a), try Membership(b))
            return .list(try unique(a.filter { try !inB.contains($0) } + b.filter { try !inA.contains($0) }) { $0 })
        },
    ]

    private static func second(_ call: Call) throws -> [Object] { try (call[0] ?? .null).elements() }

    private static func unique(_ items: [Object], key: (Object) throws -> Object) throws -> [Object] {
        let seen = try Membership([])
        return try items.filter { try seen.insert(try key($0)) }
    }

    /// A set of objects: hashed where Python could, compared where not.
    private final class Membership {
        private var keys: Set<DictKey> = []
        private var others: [Object] = []

        init(_ items: [Object]) throws { for item in items { _ = try insert(item) } }

        func contains(_ item: Object) throws -> Bool {
            if case .undefined(let undefined) = item { throw undefined.failure }
            if let key = DictKey(item) { return keys.contains(key) }
            return try others.contains { try $0.isEqual(to: item) }
        }

        func insert(_ item: Object) throws -> Bool {
            if try contains(item) { return false }
            if let key = DictKey(item) { keys.insert(key) } else { others.append(item) }
            return true
        }
    }
}
