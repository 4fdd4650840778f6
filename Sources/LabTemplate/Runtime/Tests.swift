/// The tests, what stands behind `is`.
enum Tests {
    private static func kind(_ accepts: @escaping @Sendable (Object) -> Bool) -> Test { Test { accepts($0.input) } }

    static let types: [String: Test] = [
        "defined": Test(takesUndefined: true) { !$0.input.isUndefined },
        "undefined": Test(takesUndefined: true) { $0.input.isUndefined },
        "none": kind(\.isNull),
        "boolean": kind { if case .bool = $0 { true } else { false } },
        "true": kind { if case .bool(true) = $0 { true } else { false } },
        "false": kind { if case .bool(false) = $0 { true } else { false } },
        "integer": kind { if case .int = $0 { true } else { false } },
        "float": kind { if case .float = $0 { true } else { false } },
        "number": kind { $0.number != nil },
        "string": kind { $0.string != nil },
        "mapping": kind { if case .dict = $0 { true } else { false } },
        "sequence": kind { (try? $0.length()) != nil },
        "iterable": kind {
            switch $0 {
            case .list, .tuple, .dict, .string, .range: true
            default: false
            }
        },
        "callable": kind { if case .instance = $0 { true } else { false } },
        "escaped": kind { _ in false },
        "nan": kind { $0.number?.isNaN == true },
        "isnan": kind { $0.number?.isNaN == true },
        "filter": Test { Registry.isFilter(try $0.inputText()) },
        "test": Test { Registry.isTest(try $0.inputText()) },
        "sameas": Test("other", required: 1) { call in
            guard let other = call[0] else { return false }
            switch (call.input, other) {
            case (.list(let a), .list(let b)): return a === b
            case (.dict(let a), .dict(let b)): return a === b
            case (.bool, .bool), (.int, .int), (.string, .string), (.null, .null), (.float, .float):
                return try call.input.isEqual(to: other)
            default: return false
            }
        },
        "truthy": Test("convert_bool") { try truth($0) },
        "falsy": Test("convert_bool") { try !truth($0) },
        "vault_encrypted": kind { $0.string?.hasPrefix("$ANSIBLE_VAULT;") == true },
    ]

    private static func truth(_ call: Call) throws -> Bool {
        if try call.flag(0) {
            let text = (call.input.string ?? (call.input.number.map { $0 == 1 ? "1" : $0 == 0 ? "0" : "" } ?? ""))
            switch StringMethods.stripped(text.lowercased(), nil) {
            case "y", "yes", "on", "1", "true", "t": return true
            case "n", "no", "off", "0", "false", "f": return false
            default: break
            }
        }
        return try call.input.isTrue()
    }

    private static func comparison(_ comparison: Comparison) -> Test {
        Test("other", required: 1) { try Operators.compare(comparison, $0.input, $0[0] ?? .null) }
    }

    static let comparisons: [String: Test] = [
        "==": comparison(.equal), "eq": comparison(.equal), "equalto": comparison(.equal),
        "!=": comparison(.notEqual), "ne": comparison(.notEqual),
        "<": comparison(.less), "lt": comparison(.less), "lessthan": comparison(.less),
        "<=": comparison(.lessOrEqual), "le": comparison(.lessOrEqual),
        ">": comparison(.greater), "gt": comparison(.greater), "greaterthan": comparison(.greater),
        ">=": comparison(.greaterOrEqual), "ge": comparison(.greaterOrEqual),
        "in": comparison(.contained),
        "contains": Test("value", required: 1) { try $0.input.contains($0[0] ?? .null) },
        "odd": Test { try remainder($0, 2) == 1 },
        "even": Test { try remainder($0, 2) == 0 },
        "divisibleby": Test("num", required: 1) { call in
            guard let divisor = try call.int(0), divisor != 0 else { throw Failure("division by zero") }
            return try remainder(call, divisor) == 0
        },
        "any": Test { try $0.items().contains { try $0.isTrue() } },
        "all": Test { try $0.items().allSatisfy { try $0.isTrue() } },
        "subset": Test("other", required: 1) { try isSubset($0.input, $0[0] ?? .null) },
        "issubset": Test("other", required: 1) { try isSubset($0.input, $0[0] ?? .null) },
        "superset": Test("other", required: 1) { try isSubset($0[0] ?? .null, $0.input) },
        "issuperset": Test("other", required: 1) { try isSubset($0[0] ?? .null, $0.input) },
        "version": version, "version_compare": version,
    ]

    private static func remainder(_ call: Call, _ divisor: Int) throws -> Double {
        guard let number = try Operators.apply(.modulo, call.input, .int(divisor)).number else {
            throw Failure("\(call.subject) needs a number, not \(call.input.typeName)")
        }
        return number
    }

    private static func isSubset(_ part: Object, _ whole: Object) throws -> Bool {
        let whole = try whole.elements()
        return try part.elements().allSatisfy { item in try whole.contains { try $0.isEqual(to: item) } }
    }

    private static let version = Test("version", "operator", "strict", "version_type", required: 1) { call in
        let (left, right) = (try call.inputText(), try (call[0] ?? .null).text())
        guard !left.isEmpty, !right.isEmpty else { throw Failure("\(call.subject) cannot compare an empty version") }
        let type = try call.string(3) ?? (call.flag(2) ? "strict" : "loose")
        return try Version.compare(left, right, by: try call.string(1) ?? "eq", type: type)
    }

    private static func result(_ name: String, _ body: @escaping @Sendable (DictBox) throws -> Bool) -> Test {
        Test { call in
            guard case .dict(let dict) = call.input else {
                throw Failure(
                    "\(call.subject) needs the result of a task, not \(call.input.typeName)",
                    hint: "use the variable that 'register' set")
            }
            return try body(dict)
        }
    }

    private static func flag(_ key: String, negated: Bool = false) -> Test {
        result(key) { try ($0[key]?.isTrue() ?? false) != negated }
    }

    private static let changed = result("changed") { dict in
        if let changed = dict["changed"] { return try changed.isTrue() }
        guard case .list(let results)? = dict["results"] else { return false }
        return try results.items.contains { item in
            guard case .dict(let result) = item else { return false }
            return try result["changed"]?.isTrue() ?? false
        }
    }

    static let results: [String: Test] = [
        "failed": flag("failed"), "failure": flag("failed"),
        "succeeded": flag("failed", negated: true), "success": flag("failed", negated: true),
        "successful": flag("failed", negated: true),
        "skipped": flag("skipped"), "skip": flag("skipped"),
        "unreachable": flag("unreachable"), "reachable": flag("unreachable", negated: true),
        "changed": changed, "change": changed,
        "started": result("started") { try $0["started"]?.isTrue() ?? true },
        "finished": result("finished") { try $0["finished"]?.isTrue() ?? true },
        "timedout": result("timedout") { dict in
            guard case .dict(let timedOut)? = dict["timedout"] else { return false }
            return try timedOut["period"]?.isTrue() ?? false
        },
    ]

    private static func pattern(_ kind: MatchKind?) -> Test {
        Test("pattern", "ignorecase", "multiline", "match_type") { call in
            let text = try call.inputText()
            let kind = try kind ?? MatchKind(rawValue: call.string(3) ?? "search") ?? .search
            let pattern = try Pattern(
                try call.string(0) ?? "", ignoresCase: try call.flag(1), isMultiline: try call.flag(2))
            return try pattern.firstMatch(in: text, kind) != nil
        }
    }

    private static func file(_ name: String) -> Test {
        Test { call in
            let path = try call.inputString()
            return try Object(call.service(.file(test: name, path: path))).isTrue()
        }
    }

    private static let absolute = Test { try $0.inputString().hasPrefix("/") }

    static let texts: [String: Test] = [
        "lower": Test { StringMethods.isLower(try $0.inputText()) },
        "upper": Test { StringMethods.isUpper(try $0.inputText()) },
        "match": pattern(.match), "search": pattern(.search), "regex": pattern(nil),
        "exists": file("exists"), "file": file("file"), "is_file": file("file"), "directory": file("directory"),
        "is_dir": file("directory"), "link": file("link"), "is_link": file("link"), "mount": file("mount"),
        "is_mount": file("mount"), "link_exists": file("link_exists"),
        "abs": absolute, "is_abs": absolute,
        "uri": Test("schemes") { try URLParts.isURI(try $0.inputText(), $0) },
        "url": Test("schemes") { try URLParts.isURL(try $0.inputText(), $0) },
        "urn": Test { try $0.inputText().lowercased().hasPrefix("urn:") },
    ]
}
