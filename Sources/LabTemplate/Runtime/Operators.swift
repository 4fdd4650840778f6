#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The operators, as Python has them.
enum Operators {
    static func apply(_ op: BinaryOperator, _ left: Object, _ right: Object) throws -> Object {
        if case .undefined(let undefined) = left { throw undefined.failure }
        if case .undefined(let undefined) = right { throw undefined.failure }
        if let a = left.int, let b = right.int { return try integers(op, a, b) }
        if let a = left.number, let b = right.number { return try floats(op, a, b) }
        switch (op, left, right) {
        case (.add, .string(let a), .string(let b)): return .string(a + b)
        case (.add, .list(let a), .list(let b)): return .list(a.items + b.items)
        case (.add, .tuple(let a), .tuple(let b)): return .tuple(a.items + b.items)
        case (.multiply, _, _) where right.int != nil: return try repeated(left, right.int ?? 0)
        case (.multiply, _, _) where left.int != nil: return try repeated(right, left.int ?? 0)
        case (.modulo, .string(let format), _):
            return .string(try PercentFormat.format(format, with: right))
        default: throw mismatch(op, left, right)
        }
    }

    private static func mismatch(_ op: BinaryOperator, _ left: Object, _ right: Object) -> Failure {
        let hint: String? =
            if op == .add, left.string != nil || right.string != nil {
                "join texts with '~', or convert with '| int' or '| string'"
            } else if left.string != nil || right.string != nil {
                "convert with '| int' or '| float'"
            } else if op == .add, case .dict = left {
                "merge maps with '| combine(…)'"
            } else {
                nil
            }
        return Failure("'\(op.rawValue)' does not work between \(left.typeName) and \(right.typeName)", hint: hint)
    }

    private static func repeated(_ object: Object, _ count: Int) throws -> Object {
        let count = max(0, count)
        switch object {
        case .string(let text):
            guard !text.utf8.count.multipliedReportingOverflow(by: count).overflow,
                text.utf8.count * count <= Limits.textSize
            else { throw Failure("the text would grow above \(Limits.textSize >> 20) MiB") }
            return .string(String(repeating: text, count: count))
        case .list, .tuple:
            let items = object.sequence ?? []
            guard !items.count.multipliedReportingOverflow(by: count).overflow, items.count * count <= Limits.iterations
            else { throw Failure("the list would grow above \(Limits.iterations) items") }
            let result = (0..<count).flatMap { _ in items }
            if case .tuple = object { return .tuple(result) }
            return .list(result)
        default: throw mismatch(.multiply, object, .int(count))
        }
    }

    private static let overflow = Failure("the result does not fit into 64 bits")

    private static func integers(_ op: BinaryOperator, _ a: Int, _ b: Int) throws -> Object {
        func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Object {
            guard !result.overflow else { throw overflow }
            return .int(result.partialValue)
        }
        switch op {
        case .add: return try checked(a.addingReportingOverflow(b))
        case .subtract: return try checked(a.subtractingReportingOverflow(b))
        case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
        case .divide:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(Double(a) / Double(b))
        case .floorDivide:
            guard b != 0 else { throw Failure("division by zero") }
            let (quotient, isOverflow) = a.dividedReportingOverflow(by: b)
            guard !isOverflow else { throw overflow }
            return .int(a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient)
        case .modulo:
            guard b != 0 else { throw Failure("division by zero") }
            let remainder = a.remainderReportingOverflow(dividingBy: b).partialValue
            return .int(remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder)
        case .power: return try power(a, b)
        }
    }

    private static func power(_ base: Int, _ exponent: Int) throws -> Object {
        guard exponent >= 0 else {
            guard base != 0 else { throw Failure("division by zero") }
            return .float(pow(Double(base), Double(exponent)))
        }
        var result = 1
        var base = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 {
                let product = result.multipliedReportingOverflow(by: base)
                guard !product.overflow else { throw overflow }
                result = product.partialValue
            }
            rest >>= 1
            if rest > 0 {
                let square = base.multipliedReportingOverflow(by: base)
                guard !square.overflow else { throw overflow }
                base = square.partialValue
            }
        }
        return .int(result)
    }

    private static func floats(_ op: BinaryOperator, _ a: Double, _ b: Double) throws -> Object {
        switch op {
        case .add: return .float(a + b)
        case .subtract: return .float(a - b)
        case .multiply: return .float(a * b)
        case .divide:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(a / b)
        case .floorDivide:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(((a - floorModulo(a, b)) / b).rounded(.toNearestOrEven))
        case .modulo:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(floorModulo(a, b))
        case .power:
            guard a != 0 || b >= 0 else { throw Failure("division by zero") }
            let result = pow(a, b)
            guard result.isFinite || !a.isFinite || !b.isFinite || result.isNaN else {
                throw Failure("the result is too large")
            }
            guard !result.isNaN || a.isNaN || b.isNaN else { throw Failure("the result is a complex number") }
            return .float(result)
        }
    }

    private static func floorModulo(_ a: Double, _ b: Double) -> Double {
        let remainder = fmod(a, b)
        if remainder == 0 { return b < 0 ? -0.0 : 0.0 }
        return (remainder < 0) != (b < 0) ? remainder + b : remainder
    }

    static func negate(_ operand: Object) throws -> Object {
        switch operand {
        case .float(let value): return .float(-value)
        case .undefined(let undefined): throw undefined.failure
        default:
            guard let value = operand.int else { throw Failure("'-' does not work on \(operand.typeName)") }
            guard value != .min else { throw overflow }
            return .int(-value)
        }
    }

    static func plus(_ operand: Object) throws -> Object {
        switch operand {
        case .float: return operand
        case .undefined(let undefined): throw undefined.failure
        default:
            guard let value = operand.int else { throw Failure("'+' does not work on \(operand.typeName)") }
            return .int(value)
        }
    }

    static func compare(_ comparison: Comparison, _ left: Object, _ right: Object) throws -> Bool {
        switch comparison {
        case .equal: try left.isEqual(to: right)
        case .notEqual: try !left.isEqual(to: right)
        case .less: try left.isLess(than: right, sign: "<")
        case .greater: try ordered(left, right, ">") { try $1.isLess(than: $0, sign: ">") }
        case .lessOrEqual: try ordered(left, right, "<=") { try $0.isLess(than: $1, sign: "<=") || $0.isEqual(to: $1) }
        case .greaterOrEqual:
            try ordered(left, right, ">=") { try $1.isLess(than: $0, sign: ">=") || $0.isEqual(to: $1) }
        case .contained: try right.contains(left)
        case .notContained: try !right.contains(left)
        }
    }

    /// Errors name the operands in the order in which they were written.
    private static func ordered(
        _ left: Object, _ right: Object, _ sign: String, _ body: (Object, Object) throws -> Bool
    ) throws -> Bool {
        if left.number != nil, right.number == nil { _ = try left.isLess(than: right, sign: sign) }
        if left.string != nil, right.string == nil { _ = try left.isLess(than: right, sign: sign) }
        return try body(left, right)
    }
}
