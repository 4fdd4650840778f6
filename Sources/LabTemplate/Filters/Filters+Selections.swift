extension Filters {
    static let selections: [String: Filter] = [
        "map": Filter(isVariadic: true, body: map),
        "select": Filter(isVariadic: true) { try select($0, byAttribute: false, keeps: true) },
        "reject": Filter(isVariadic: true) { try select($0, byAttribute: false, keeps: false) },
        "selectattr": Filter(isVariadic: true) { try select($0, byAttribute: true, keeps: true) },
        "rejectattr": Filter(isVariadic: true) { try select($0, byAttribute: true, keeps: false) },
        "groupby": Filter("attribute", "default", "case_sensitive", required: 1, body: groups),
    ]

    /// What is false (none, zero, empty) gives no items, as in jinja2, whether it could be looped over or not.
    private static func items(_ call: Call) throws -> [Object] {
        try call.input.isTrue() ? try call.items() : []
    }

    private static func map(_ call: Call) throws -> Object {
        let items = try items(call)
        guard let first = call.rest.first else {
            guard let path = call.extraKeywords.first(where: { $0.name == "attribute" })?.value else {
                throw Failure("\(call.subject) needs the name of a filter, or attribute=…")
            }
            let fallback = call.extraKeywords.first { $0.name == "default" }?.value
            if let unknown = call.extraKeywords.first(where: { !["attribute", "default"].contains($0.name) }) {
                throw Failure("\(call.subject) has no argument '\(unknown.name)'")
            }
            let usable = fallback.flatMap { $0.isNull ? nil : $0 }
            return .list(try items.map { try call.evaluator.path(path, in: $0, default: usable) })
        }
        guard let name = first.string else { throw Failure("\(call.subject) needs the name of a filter as a string") }
        let arguments = Arguments(positional: Array(call.rest.dropFirst()), keywords: call.extraKeywords)
        return .list(try items.map { try call.evaluator.filter(named: name, $0, arguments) })
    }

    private static func select(_ call: Call, byAttribute: Bool, keeps: Bool) throws -> Object {
        var rest = call.rest[...]
        var path: Object?
        if byAttribute {
            guard let attribute = rest.popFirst() else {
                throw Failure("\(call.subject) needs the name of an attribute")
            }
            path = attribute
        }
        let test = try rest.popFirst().map { name in
            guard let name = name.string else { throw Failure("\(call.subject) needs the name of a test as a string") }
            return name
        }
        let arguments = Arguments(positional: Array(rest), keywords: call.extraKeywords)
        return .list(
            try items(call).filter { item in
                let subject = try path.map { try call.evaluator.path($0, in: item) } ?? item
                guard let test else { return try subject.isTrue() == keeps }
                return try call.evaluator.test(named: test, subject, arguments) == keeps
            })
    }

    private static func groups(_ call: Call) throws -> Object {
        let path = call[0] ?? .null
        let ignoresCase = try !call.flag(2)
        let value = { (item: Object) in try call.evaluator.path(path, in: item, default: call.given(1)) }
        let sorted = try Sorting.sorted(call.items()) { try foldedCase(value($0), ignoresCase) }
        var groups: [(key: Object, items: [Object])] = []
        for item in sorted {
            let key = try foldedCase(value(item), ignoresCase)
            if let last = groups.last, try last.key.isEqual(to: key) {
                groups[groups.count - 1].items.append(item)
            } else {
                groups.append((key, [item]))
            }
        }
        return .list(
            try groups.map { group in
                // The key has the case of the group's first item.
                let key = try group.items.first.map(value) ?? group.key
                return .tuple(Tuple([key, .list(group.items)], fields: ["grouper", "list"]))
            })
    }
}
