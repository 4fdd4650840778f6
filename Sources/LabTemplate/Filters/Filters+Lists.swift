import LabCore

extension Filters {
    static let lists: [String: Filter] = [
        "list": Filter { .list(try $0.items()) },
        "length": Filter { .int(try $0.input.length()) },
        "count": Filter { .int(try $0.input.length()) },
        "first": Filter { try end($0, isFirst: true) },
        "last": Filter { try end($0, isFirst: false) },
        "min": Filter("case_sensitive", "attribute") { try extreme($0, isMinimum: true) },
        "max": Filter("case_sensitive", "attribute") { try extreme($0, isMinimum: false) },
        "sum": Filter("attribute", "start") { call in
            let path = call.given(0)
            var total = call[1] ?? .int(0)
            for item in try call.items() {
                total = try Operators.apply(.add, total, path.map { try call.evaluator.path($0, in: item) } ?? item)
            }
            return total
        },
        "sort": Filter("reverse", "case_sensitive", "attribute") { call in
            let keys = try sortKeys(call[2])
            let ignoresCase = try !call.flag(1)
            return .list(
                try Sorting.sorted(call.items(), reverse: call.flag(0)) { item in
                    .list(
                        try keys.map { key in
                            try foldedCase(try key.map { try call.evaluator.path($0, in: item) } ?? item, ignoresCase)
                        })
                })
        },
        "reverse": Filter { call in
            if let text = call.input.string {
                var result = String.UnicodeScalarView()
                result.append(contentsOf: text.unicodeScalars.reversed())
                return .string(String(result))
            }
            return .list(try call.items().reversed())
        },
        "join": Filter("d", "attribute") { call in
            let path = call.given(1)
            let texts = try call.items().map { item in
                try (path.map { try call.evaluator.path($0, in: item) } ?? item).text()
            }
            let separator = try call[0]?.text() ?? ""
            guard texts.reduce(0, { $0 + $1.utf8.count + separator.utf8.count }) <= Limits.textSize else {
                throw Failure("the text grew above \(Limits.textSize >> 20) MiB")
            }
            return .string(texts.joined(separator: separator))
        },
        "batch": Filter("linecount", "fill_with", required: 1) { call in
            guard let size = try call.int(0), size > 0 else { throw Failure("\(call.subject) needs a size above zero") }
            let items = try call.items()
            return .list(
                stride(from: 0, to: items.count, by: size).map { start in
                    var row = Array(items[start..<min(start + size, items.count)])
                    if let fill = call.given(1), size <= Limits.iterations {
                        row += Array(repeating: fill, count: size - row.count)
                    }
                    return .list(row)
                })
        },
        "slice": Filter("slices", "fill_with", required: 1) { call in
            guard let count = try call.int(0), (1...Limits.iterations).contains(count) else {
                throw Failure("\(call.subject) needs a number of slices above zero")
            }
            let items = try call.items()
            let (size, longer) = items.count.quotientAndRemainder(dividingBy: count)
            var start = 0
            return .list(
                (0..<count).map { index in
                    let end = start + size + (index < longer ? 1 : 0)
                    var slice = Array(items[start..<end])
                    if index >= longer, let fill = call.given(1) { slice.append(fill) }
                    start = end
                    return .list(slice)
                })
        },
        "flatten": Filter("levels", "skip_nulls") { call in
            .list(try flattened(try call.items(), levels: try call.int(0), skipsNulls: try call[1]?.isTrue() ?? true))
        },
        "zip": Filter(isVariadic: true) { call in
            let lists = try [call.items()] + call.rest.map { try $0.elements() }
            return .list((0..<(lists.map(\.count).min() ?? 0)).map { index in .tuple(lists.map { $0[index] }) })
        },
        "zip_longest": Filter(isVariadic: true) { call in
            let lists = try [call.items()] + call.rest.map { try $0.elements() }
            let fill = call.extraKeywords.first { $0.name == "fillvalue" }?.value ?? .null
            return .list(
                (0..<(lists.map(\.count).max() ?? 0)).map { index in
                    .tuple(lists.map { $0.indices.contains(index) ? $0[index] : fill })
                })
        },
        "product": Filter(isVariadic: true) { call in
            let lists = try [call.items()] + call.rest.map { try $0.elements() }
            let repeats = try call.extraKeywords.first { $0.name == "repeat" }.map { keyword in
                guard let count = keyword.value.int, (0...20).contains(count) else {
                    throw Failure("\(call.subject) needs a small number of repeats")
                }
                return count
            }
            return .list(try Combinatorics.product((0..<(repeats ?? 1)).flatMap { _ in lists }).map { .tuple($0) })
        },
        "permutations": Filter("r") { call in
            .list(try Combinatorics.permutations(call.items(), call.int(0)).map { .tuple($0) })
        },
        "combinations": Filter("r", required: 1) { call in
            .list(try Combinatorics.combinations(call.items(), call.int(0) ?? 0).map { .tuple($0) })
        },
        "subelements": Filter("subelements", "skip_missing", required: 1, body: subelements),
    ]

    static func foldedCase(_ object: Object, _ ignoresCase: Bool) throws -> Object {
        guard ignoresCase, let text = object.string else { return object }
        return .string(text.lowercased())
    }

    /// `attribute="age,name"` sorts by several keys; nil is the item itself.
    private static func sortKeys(_ attribute: Object?) throws -> [Object?] {
        guard let attribute, !attribute.isNull else { return [nil] }
        guard let text = attribute.string else { return [attribute] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { .string(String($0)) }
    }

    private static func end(_ call: Call, isFirst: Bool) throws -> Object {
        if case .range(let range) = call.input, range.count > 0 { return .int(range[isFirst ? 0 : range.count - 1]) }
        let items = try call.items()
        return (isFirst ? items.first : items.last)
            ?? .undefined(Undefined(message: "there is no \(isFirst ? "first" : "last") item: the list is empty"))
    }

    private static func extreme(_ call: Call, isMinimum: Bool) throws -> Object {
        let ignoresCase = try !call.flag(0)
        var best: (key: Object, item: Object)?
        for item in try call.items() {
            let value = try call.given(1).map { try call.evaluator.path($0, in: item) } ?? item
            let key = try foldedCase(value, ignoresCase)
            guard let current = best else {
                best = (key, item)
                continue
            }
            if isMinimum ? try key.isLess(than: current.key) : try current.key.isLess(than: key) { best = (key, item) }
        }
        return best?.item
            ?? .undefined(
                Undefined(message: "there is no \(isMinimum ? "smallest" : "largest") item: the list is empty"))
    }

    static func flattened(_ items: [Object], levels: Int?, skipsNulls: Bool, depth: Int = 0) throws -> [Object] {
        guard depth < Limits.nesting else { throw Failure("the list is nested too deeply") }
        var result: [Object] = []
        for item in items {
            if skipsNulls {
                if item.isNull || item.string == "None" || item.string == "null" { continue }
            }
            if let inner = item.sequence, levels.map({ $0 >= 1 }) ?? true {
                result += try flattened(inner, levels: levels.map { $0 - 1 }, skipsNulls: skipsNulls, depth: depth + 1)
            } else {
                result.append(item)
            }
        }
        return result
    }

    private static func subelements(_ call: Call) throws -> Object {
        let elements: [Object]
        if case .dict(let dict) = call.input {
            elements = Array(dict.entries.values)
        } else {
            elements = try call.items()
        }
        let skipsMissing = try call.flag(1)
        let path: [String]
        if let text = call[0]?.string {
            path = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        } else {
            path = try (call[0]?.elements() ?? []).map { try $0.text() }
        }
        var result: [Object] = []
        for element in elements {
            var current = element
            for key in path {
                guard case .dict(let dict) = current else {
                    throw Failure("the key '\(key)' should lead into a map, not into \(current.typeName)")
                }
                if let next = dict[key] {
                    current = next
                } else if skipsMissing {
                    current = .list([Object]())
                    break
                } else {
                    throw Failure(
                        "an item has no '\(key)'",
                        hint: suggestion(for: key, among: current.keyTexts)
                            ?? "give skip_missing=True to leave such items out")
                }
            }
            guard case .list(let list) = current else {
                throw Failure("the key '\(path.last ?? "")' should hold a list, not \(current.typeName)")
            }
            result += list.items.map { .tuple([element, $0]) }
        }
        return .list(result)
    }
}

/// Python's itertools, within the limits of templates.
enum Combinatorics {
    private static let tooMany = Failure("there are more than \(Limits.iterations) combinations")

    static func product(_ lists: [[Object]]) throws -> [[Object]] {
        var result: [[Object]] = [[]]
        for list in lists {
            guard result.count * max(1, list.count) <= Limits.iterations else { throw tooMany }
            result = result.flatMap { row in list.map { row + [$0] } }
        }
        return result
    }

    static func permutations(_ items: [Object], _ length: Int?) throws -> [[Object]] {
        let length = length ?? items.count
        guard length <= items.count, length >= 0 else { return [] }
        var result: [[Int]] = [[]]
        for _ in 0..<length {
            guard result.count * items.count <= Limits.iterations else { throw tooMany }
            result = result.flatMap { row in items.indices.filter { !row.contains($0) }.map { row + [$0] } }
        }
        return result.map { $0.map { items[$0] } }
    }

    static func combinations(_ items: [Object], _ length: Int) throws -> [[Object]] {
        guard length <= items.count, length >= 0 else { return [] }
        var result: [[Int]] = [[]]
        for _ in 0..<length {
            guard result.count * items.count <= Limits.iterations else { throw tooMany }
            result = result.flatMap { row in items.indices.filter { $0 > row.last ?? -1 }.map { row + [$0] } }
        }
        return result.map { $0.map { items[$0] } }
    }
}
