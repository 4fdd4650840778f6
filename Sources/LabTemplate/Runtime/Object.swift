import LabCore

/// A value while a template runs: what `Value` can be, and what only exists inside (undefined, tuples, functions).
///
/// Lists and dicts are shared by reference, as in Python, so that `list.append` and `dict.update` work.
enum Object {
    // Indirect are the large ones, so that objects are small: evaluation recurses with many of them on the stack.
    indirect case undefined(Undefined)
    case omit
    case null
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case list(ListBox)
    case tuple(Tuple)
    case dict(DictBox)
    indirect case range(PythonRange)
    case instance(any Instance)

    init(_ value: Value) {
        self =
            switch value {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .float(let value): .float(value)
            case .string(OmitMarker.text): .omit
            case .string(let value): .string(value)
            case .list(let values): .list(ListBox(values))
            case .map(let entries): .dict(DictBox(entries))
            }
    }

    static func list(_ items: [Object]) -> Object { .list(ListBox(items)) }
    static func tuple(_ items: [Object]) -> Object { .tuple(Tuple(items)) }
}

/// Why there is no value, told when somebody needs it.
struct Undefined {
    /// The name as it was written, when there is one.
    var name: String?
    var message: String
    /// What to try; worked out only when the error is told, since most undefined values meet a `default`.
    var hint: () -> String?
    /// Where the missing name stands, in bytes of the template's text.
    var range: Range<Int>?
    /// The error of the variable's own template, when it is that one that misses something.
    var cause: (any Error)?
    /// Whether it is empty where a text, a list or a truth is wanted. Jinja gives its lenient `Undefined` for an `if`
    /// without `else`, whatever the environment's own is (jinja2/compiler.py, `cond_expr_undef`).
    var isLenient = false

    init(
        name: String? = nil, message: String, hint: @autoclosure @escaping () -> String? = nil,
        range: Range<Int>? = nil, cause: (any Error)? = nil, isLenient: Bool = false
    ) {
        self.name = name
        self.message = message
        self.hint = hint
        self.range = range
        self.cause = cause
        self.isLenient = isLenient
    }

    /// As it is for its attributes and items: those are missed, even where the thing itself passes as empty.
    var strict: Undefined {
        var strict = self
        strict.isLenient = false
        return strict
    }

    var failure: Failure {
        if let cause {
            var failure = Failure(passingOn: cause)
            failure.range = range
            return failure
        }
        return Failure(message, kind: .undefined(name ?? ""), hint: hint(), range: range)
    }
}

/// "did you mean …?" for a name, when one of the candidates is near.
func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
    nearestName(to: name, among: candidates).map { "did you mean '\($0)'?" }
}

struct Tuple {
    var items: [Object]
    /// Names of the items, for what `groupby` gives.
    var fields: [String] = []

    init(_ items: [Object], fields: [String] = []) {
        self.items = items
        self.fields = fields
    }
}

struct PythonRange {
    let start: Int
    let stop: Int
    let step: Int

    /// The bounds are below 2^62, so that nothing overflows.
    var count: Int {
        if step > 0 { return start < stop ? (stop - start - 1) / step + 1 : 0 }
        return start > stop ? (start - stop - 1) / -step + 1 : 0
    }

    subscript(index: Int) -> Int { start + index * step }
}

/// An object with attributes, or one that can be called: functions, methods, macros, `loop`, namespaces.
protocol Instance: AnyObject {
    /// As people read it in errors.
    var typeName: String { get }
    func attribute(_ name: String) throws -> Object?
    func setAttribute(_ name: String, _ value: Object) throws
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object
}

extension Instance {
    func attribute(_ name: String) throws -> Object? { nil }
    func setAttribute(_ name: String, _ value: Object) throws {
        throw Failure("cannot assign attributes of \(typeName)", hint: "only namespace() objects can be changed so")
    }
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object {
        throw Failure("\(typeName) cannot be called")
    }
}

/// A function of the template language or a method that is bound to its object.
final class Function: Instance {
    let name: String
    private let body: (Arguments, Evaluator) throws -> Object

    init(_ name: String, _ body: @escaping (Arguments, Evaluator) throws -> Object) {
        self.name = name
        self.body = body
    }

    var typeName: String { "the function '\(name)'" }
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object { try body(arguments, evaluator) }
}

/// What `namespace()` gives: a bag of attributes that loops can change.
final class Namespace: Instance {
    private var attributes: [String: Object] = [:]
    var typeName: String { "a namespace" }

    init(_ attributes: [String: Object]) { self.attributes = attributes }

    func attribute(_ name: String) -> Object? { attributes[name] }
    func setAttribute(_ name: String, _ value: Object) { attributes[name] = value }
}

/// How an omitted value (`default(omit)`) travels through variables: as a text that nobody writes by chance.
package enum OmitMarker {
    /// The text that stands for "leave this parameter out" in values that templates gave.
    package static let text = "\u{0}labctl: omit\u{0}"
}
