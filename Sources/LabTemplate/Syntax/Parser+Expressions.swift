import LabCore

extension Parser {
    /// Mutating, so that arguments that read tokens are evaluated before the end of the range is looked at.
    private mutating func make(_ kind: Expression.Kind, from start: Int) -> Expression {
        Expression(kind: kind, range: start..<max(lastEnd, start))
    }

    /// An expression; with commas, a tuple of them.
    mutating func tuple(allowsConditional: Bool = true, end: String? = nil, isParenthesised: Bool = false) throws
        -> Expression
    {
        let start = current.range.lowerBound
        var items: [Expression] = []
        var isTuple = false
        while true {
            if isTupleEnd(end) { break }
            items.append(allowsConditional ? try expression() : try or())
            guard skip(.comma) else { break }
            isTuple = true
        }
        if !isTuple, let only = items.first { return only }
        guard isTuple || isParenthesised else { throw unexpected("an expression") }
        return make(.tuple(items), from: start)
    }

    private func isTupleEnd(_ end: String?) -> Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .end, .op(.rightParenthesis): true
        case .name(let name): name == end
        default: false
        }
    }

    mutating func expression() throws -> Expression {
        try nested { parser in
            let start = parser.current.range.lowerBound
            var result = try parser.or()
            while parser.skip(name: "if") {
                let test = try parser.or()
                let otherwise = parser.skip(name: "else") ? try parser.expression() : nil
                result = parser.make(.conditional(test: test, then: result, otherwise: otherwise), from: start)
            }
            return result
        }
    }

    private mutating func or() throws -> Expression {
        let start = current.range.lowerBound
        var left = try and()
        while skip(name: "or") { left = make(.or(left, try and()), from: start) }
        return left
    }

    private mutating func and() throws -> Expression {
        let start = current.range.lowerBound
        var left = try not()
        while skip(name: "and") { left = make(.and(left, try not()), from: start) }
        return left
    }

    private mutating func not() throws -> Expression {
        let start = current.range.lowerBound
        guard skip(name: "not") else { return try comparison() }
        return make(.not(try nested { try $0.not() }), from: start)
    }

    private mutating func comparison() throws -> Expression {
        let start = current.range.lowerBound
        let left = try sum()
        var operands: [(Comparison, Expression)] = []
        while let comparison = comparisonOperator() { operands.append((comparison, try sum())) }
        return operands.isEmpty ? left : make(.comparison(left, operands), from: start)
    }

    private mutating func comparisonOperator() -> Comparison? {
        if case .op(let op) = current.kind, let comparison = Comparison(rawValue: op.rawValue) {
            advance()
            return comparison
        }
        if skip(name: "in") { return .contained }
        if current.isName("not"), next.isName("in") {
            advance()
            advance()
            return .notContained
        }
        return nil
    }

    private mutating func sum() throws -> Expression {
        let start = current.range.lowerBound
        var left = try concatenation()
        while case .op(let op) = current.kind, op == .plus || op == .minus {
            advance()
            left = make(.binary(op == .plus ? .add : .subtract, left, try concatenation()), from: start)
        }
        return left
    }

    private mutating func concatenation() throws -> Expression {
        let start = current.range.lowerBound
        var parts = [try product()]
        while skip(.tilde) { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : make(.concatenation(parts), from: start)
    }

    private static let factors: Set<Token.Operator> = [.multiply, .divide, .floorDivide, .modulo]

    private mutating func product() throws -> Expression {
        let start = current.range.lowerBound
        var left = try power()
        while case .op(let op) = current.kind, Self.factors.contains(op),
            let binary = BinaryOperator(rawValue: op.rawValue)
        {
            advance()
            left = make(.binary(binary, left, try power()), from: start)
        }
        return left
    }

    private mutating func power() throws -> Expression {
        let start = current.range.lowerBound
        var left = try unary()
        while skip(.power) { left = make(.binary(.power, left, try unary()), from: start) }
        return left
    }

    private mutating func unary(allowsFilters: Bool = true) throws -> Expression {
        let start = current.range.lowerBound
        var result: Expression
        if skip(.minus) {
            result = make(.negate(try nested { try $0.unary(allowsFilters: false) }), from: start)
        } else if skip(.plus) {
            result = make(.plus(try nested { try $0.unary(allowsFilters: false) }), from: start)
        } else {
            result = try primary()
        }
        result = try postfix(result, from: start)
        return allowsFilters ? try filtersAndTests(result, from: start) : result
    }

    private mutating func primary() throws -> Expression {
        let token = current
        let start = token.range.lowerBound
        switch token.kind {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return make(.constant(true), from: start)
            case "false", "False": return make(.constant(false), from: start)
            case "none", "None": return make(.constant(.null), from: start)
            default:
                names.insert(name)
                return make(.name(name), from: start)
            }
        case .string(var text):
            advance()
            while case .string(let more) = current.kind {
                text += more
                advance()
            }
            return make(literal(text), from: start)
        case .integer(let value):
            advance()
            return make(.constant(.int(value)), from: start)
        case .float(let value):
            advance()
            return make(.constant(.float(value)), from: start)
        case .op(.leftParenthesis):
            advance()
            let inner = try tuple(isParenthesised: true)
            try expect(.rightParenthesis)
            return Expression(kind: inner.kind, range: start..<lastEnd)
        case .op(.leftBracket): return try list()
        case .op(.leftBrace): return try dict()
        default: throw unexpected("an expression")
        }
    }

    private mutating func list() throws -> Expression {
        let start = advance().range.lowerBound
        var items: [Expression] = []
        while !current.isOperator(.rightBracket) {
            if !items.isEmpty {
                try expect(.comma)
                if current.isOperator(.rightBracket) { break }
            }
            items.append(try expression())
        }
        try expect(.rightBracket)
        return make(.list(items), from: start)
    }

    private mutating func dict() throws -> Expression {
        let start = advance().range.lowerBound
        var entries: [(key: Expression, value: Expression)] = []
        while !current.isOperator(.rightBrace) {
            if !entries.isEmpty {
                try expect(.comma)
                if current.isOperator(.rightBrace) { break }
            }
            let key = try expression()
            try expect(.colon)
            entries.append((key, try expression()))
        }
        try expect(.rightBrace)
        return make(.dict(entries), from: start)
    }

    private mutating func postfix(_ expression: Expression, from start: Int) throws -> Expression {
        var result = expression
        while true {
            if skip(.dot) {
                switch current.kind {
                case .name(let name):
                    advance()
                    result = make(.attribute(result, name), from: start)
                case .integer(let index):
                    let range = advance().range
                    result = make(.item(result, Expression(kind: .constant(.int(index)), range: range)), from: start)
                default: throw unexpected("a name or a number")
                }
            } else if current.isOperator(.leftBracket) {
                result = try subscription(result, from: start)
            } else if current.isOperator(.leftParenthesis) {
                var arguments = try arguments()
                if case .name(let name) = result.kind, ["lookup", "query", "q"].contains(name) {
                    arguments.positional = arguments.positional.map { argument in
                        guard case .constant(.string(let text)) = argument.kind else { return argument }
                        return Expression(kind: literal(text, isLookupTerm: true), range: argument.range)
                    }
                }
                result = make(.call(result, arguments), from: start)
            } else {
                return result
            }
        }
    }

    private mutating func subscription(_ base: Expression, from start: Int) throws -> Expression {
        advance()
        guard !current.isOperator(.rightBracket) else { throw unexpected("an index or a key") }
        let indexStart = current.range.lowerBound
        let first = current.isOperator(.colon) ? nil : try expression()
        if skip(.colon) {
            let stop = isSliceEnd ? nil : try expression()
            let step = skip(.colon) ? (isSliceEnd ? nil : try expression()) : nil
            try expect(.rightBracket)
            return make(.slice(base, start: first, stop: stop, step: step), from: start)
        }
        var items = first.map { [$0] } ?? []
        while skip(.comma), !current.isOperator(.rightBracket) { items.append(try expression()) }
        let index = items.count == 1 ? items[0] : make(.tuple(items), from: indexStart)
        try expect(.rightBracket)
        return make(.item(base, index), from: start)
    }

    private var isSliceEnd: Bool { current.isOperator(.rightBracket) || current.isOperator(.colon) }

    private mutating func filtersAndTests(_ expression: Expression, from start: Int) throws -> Expression {
        var result = expression
        while true {
            if skip(.pipe) {
                result = make(.filter(result, try filterUse()), from: start)
            } else if current.isName("is") {
                result = try test(result, from: start)
            } else if current.isOperator(.leftParenthesis) {
                result = make(.call(result, try arguments()), from: start)
            } else {
                return result
            }
        }
    }

    private mutating func dottedName() throws -> (name: String, range: Range<Int>) {
        var (name, range) = try expectName()
        while skip(.dot) {
            let part = try expectName()
            name += "." + part.name
            range = range.lowerBound..<part.range.upperBound
        }
        return (name, range)
    }

    mutating func filterUse() throws -> FilterUse {
        let (name, range) = try dottedName()
        let arguments = current.isOperator(.leftParenthesis) ? try arguments() : CallArguments()
        uses.append(NameUse(kind: .filter, name: name, range: range))
        recordNamed(by: name, arguments)
        return FilterUse(name: name, nameRange: range, arguments: arguments)
    }

    /// `map('upper')`, `select('odd')`, `selectattr('x', 'defined')` name filters and tests in a string.
    private mutating func recordNamed(by filter: String, _ arguments: CallArguments) {
        let (kind, position): (NameUse.Kind, Int)
        switch Registry.plainName(filter) {
        case "map": (kind, position) = (.filter, 0)
        case "select", "reject": (kind, position) = (.test, 0)
        case "selectattr", "rejectattr": (kind, position) = (.test, 1)
        default: return
        }
        guard arguments.positional.count > position,
            case .constant(.string(let name)) = arguments.positional[position].kind
        else { return }
        uses.append(NameUse(kind: kind, name: name, range: arguments.positional[position].range))
    }

    mutating func filterChain(afterPipe: Bool = true) throws -> [FilterUse] {
        var filters = afterPipe ? [try filterUse()] : []
        while skip(.pipe) { filters.append(try filterUse()) }
        return filters
    }

    private mutating func test(_ subject: Expression, from start: Int) throws -> Expression {
        advance()
        let isNegated = skip(name: "not")
        let (name, range) = try dottedName()
        var arguments = CallArguments()
        switch current.kind {
        case .op(.leftParenthesis): arguments = try self.arguments()
        case .name(let word) where ["else", "or", "and"].contains(word): break
        case .name("is"):
            throw Failure(
                "tests cannot follow each other", kind: .syntax, hint: "join them with 'and'", range: current.range)
        case .name(let word) where word == "if" || word == "not" || word == "in" || word == "recursive": break
        case .name, .string, .integer, .float, .op(.leftBracket), .op(.leftBrace):
            let argumentStart = current.range.lowerBound
            arguments.positional = [try postfix(try primary(), from: argumentStart)]
        default: break
        }
        uses.append(NameUse(kind: .test, name: name, range: range))
        let test = make(.test(subject, FilterUse(name: name, nameRange: range, arguments: arguments)), from: start)
        return isNegated ? make(.not(test), from: start) : test
    }

    mutating func arguments() throws -> CallArguments {
        try nested { try $0.argumentList() }
    }

    private mutating func argumentList() throws -> CallArguments {
        var arguments = CallArguments()
        try expect(.leftParenthesis)
        var isFirst = true
        while !current.isOperator(.rightParenthesis) {
            if !isFirst {
                try expect(.comma)
                if current.isOperator(.rightParenthesis) { break }
            }
            isFirst = false
            let range = current.range
            if skip(.multiply) {
                guard arguments.spread == nil, arguments.spreadKeywords == nil else { throw order(range) }
                arguments.spread = try expression()
            } else if skip(.power) {
                guard arguments.spreadKeywords == nil else { throw order(range) }
                arguments.spreadKeywords = try expression()
            } else if case .name(let name) = current.kind, next.isOperator(.assign) {
                guard arguments.spreadKeywords == nil else { throw order(range) }
                guard !arguments.keywords.contains(where: { $0.name == name }) else {
                    throw Failure("the argument '\(name)' is given twice", kind: .syntax, range: range)
                }
                advance()
                advance()
                arguments.keywords.append((name, try expression()))
            } else {
                guard arguments.keywords.isEmpty, arguments.spread == nil, arguments.spreadKeywords == nil else {
                    throw order(range)
                }
                arguments.positional.append(try expression())
            }
        }
        try expect(.rightParenthesis)
        return arguments
    }

    private func order(_ range: Range<Int>) -> Failure {
        Failure("an argument without a name stands behind one with a name", kind: .syntax, range: range)
    }
}
