extension Filters {
    static let values: [String: Filter] = [
        "default": Filter("default_value", "boolean", takesUndefined: true, body: fallback),
        "d": Filter("default_value", "boolean", takesUndefined: true, body: fallback),
        "mandatory": Filter("msg", takesUndefined: true) { call in
            guard case .undefined(var undefined) = call.input else { return call.input }
            undefined.message = try call.string(0) ?? "the mandatory variable '\(undefined.name ?? "")' is not defined"
            throw undefined.failure
        },
        "bool": Filter(body: boolean),
        "ternary": Filter("true_val", "false_val", "none_val", required: 2, takesUndefined: true) { call in
            if call.input.isNull, let none = call.given(2) { return none }
            return (try call.input.isTrue() ? call[0] : call[1]) ?? .null
        },
        "type_debug": Filter(takesUndefined: true) { .string($0.input.pythonTypeName) },
        "strftime": Filter("second", "utc") { call in
            let seconds: Double
            if let given = call.given(0) {
                guard let number = try given.number ?? PythonNumber.float(given.text()) else {
                    throw Failure("\(call.subject) needs seconds as a number, not \(given.typeName)")
                }
                seconds = number
            } else {
                seconds = try call.service(.now).double ?? 0
            }
            return .string(try Time.formatted(call.inputText(), seconds: seconds, isUTC: try call.flag(1)))
        },
    ]

    private static func fallback(_ call: Call) throws -> Object {
        if case .undefined(let undefined) = call.input {
            // Ansible's `default` lets what an 'if' without 'else' gives pass as it is.
            return undefined.isLenient ? call.input : call[0] ?? .string("")
        }
        if let flag = call.given(1) {
            guard case .bool(let appliesToFalse) = flag else {
                throw Failure("the argument 'boolean' of \(call.subject) must be a boolean, not \(flag.typeName)")
            }
            if appliesToFalse, try !call.input.isTrue() { return call[0] ?? .string("") }
        }
        return call.input
    }

    private static func boolean(_ call: Call) throws -> Object {
        switch call.input {
        case .bool: return call.input
        case .string(let text):
            switch text.lowercased() {
            case "yes", "on", "true", "1": return .bool(true)
            default: return .bool(false)
            }
        default:
            // What Ansible does with values that are no boolean, until it refuses them.
            return .bool(call.input.number == 1)
        }
    }
}
