import LabCore

extension Parser {
    private static let closers: Set<String> = [
        "else", "elif", "endif", "endfor", "endset", "endmacro", "endcall", "endwith", "endfilter", "endblock",
        "endraw",
    ]

    /// One statement, its block end included; nil for what leaves nothing to do.
    mutating func statement(ends: [String]) throws -> Statement? {
        guard case .name(let tag) = current.kind else { throw unexpected("the name of a statement") }
        let range = current.range
        openTags.append((tag, range))
        defer { openTags.removeLast() }
        let statement: Statement
        switch tag {
        case "if": statement = try conditionStatement()
        case "for": statement = try forStatement()
        case "set": statement = try setStatement()
        case "macro": statement = try macroStatement()
        case "call": statement = try callStatement()
        case "with": statement = try withStatement()
        case "filter":
            advance()
            let filters = try filterChain()
            statement = .filter(filters, body: try body(until: "endfilter").body)
        case "block": statement = try blockStatement()
        case "print":
            advance()
            statement = .output(try tuple())
        default: throw unknown(tag, range, ends: ends)
        }
        try expectBlockEnd()
        return statement
    }

    private func unknown(_ tag: String, _ range: Range<Int>, ends: [String]) -> Failure {
        switch tag {
        case "include", "import", "from", "extends":
            return Failure(
                "'\(tag)' is not supported: a template cannot load another file", kind: .syntax,
                hint: "render the other file with lookup('template', …), or use a macro in the same file", range: range)
        case "do":
            return Failure(
                "'do' is an extension of jinja2 that Ansible does not switch on", kind: .syntax,
                hint: "write '{% set _ = … %}'", range: range)
        case "break", "continue":
            return Failure(
                "'\(tag)' is an extension of jinja2 that Ansible does not switch on", kind: .syntax,
                hint: "filter the loop instead: '{% for x in list if condition %}'", range: range)
        case "autoescape", "trans":
            return Failure("'\(tag)' is not supported", kind: .syntax, range: range)
        default: break
        }
        if Self.closers.contains(tag) {
            let wanted = ends.map { "'\($0)'" }.joined(separator: " or ")
            let open = openTags.dropLast().last
            return Failure(
                wanted.isEmpty
                    ? "there is nothing open that '\(tag)' could end" : "expected \(wanted) but found '\(tag)'",
                kind: .syntax, hint: open.map { "the innermost open statement is '\($0.name)'" }, range: range)
        }
        let known = [
            "if", "for", "set", "macro", "call", "with", "filter", "block", "raw", "elif", "else", "endif", "endfor",
            "endset", "endmacro", "endcall", "endwith", "endfilter", "endblock",
        ]
        return Failure(
            "unknown statement '\(tag)'", kind: .syntax,
            hint: suggestion(for: tag, among: known), range: range)
    }

    private mutating func conditionStatement() throws -> Statement {
        var branches: [(test: Expression, body: [Statement])] = []
        advance()
        while true {
            let test = try tuple(allowsConditional: false)
            let (body, stop) = try body(until: "elif", "else", "endif")
            branches.append((test, body))
            switch stop {
            case "elif": continue
            case "else": return .condition(branches, otherwise: try self.body(until: "endif").body)
            default: return .condition(branches, otherwise: [])
            }
        }
    }

    private mutating func forStatement() throws -> Statement {
        advance()
        let target = try target(stopsAtIn: true)
        guard skip(name: "in") else { throw unexpected("'in'") }
        let iterable = try tuple(allowsConditional: false, end: "recursive")
        let condition = skip(name: "if") ? try expression() : nil
        let isRecursive = skip(name: "recursive")
        let (body, stop) = try body(until: "endfor", "else")
        let otherwise = stop == "else" ? try self.body(until: "endfor").body : []
        return .loop(
            ForLoop(
                target: target, iterable: iterable, condition: condition, isRecursive: isRecursive, body: body,
                otherwise: otherwise))
    }

    private mutating func setStatement() throws -> Statement {
        advance()
        let target = try target(allowsAttributes: true)
        if skip(.assign) { return .set(target, try tuple()) }
        let filters = current.isOperator(.pipe) ? try filterChain(afterPipe: false) : []
        return .setBlock(target, filters: filters, body: try body(until: "endset").body)
    }

    private mutating func signature() throws -> Signature {
        var signature = Signature()
        try expect(.leftParenthesis)
        while !current.isOperator(.rightParenthesis) {
            if !signature.names.isEmpty { try expect(.comma) }
            let name = try expectName()
            signature.names.append(name.name)
            if skip(.assign) {
                signature.defaults.append(try expression())
            } else if !signature.defaults.isEmpty {
                throw Failure(
                    "'\(name.name)' has no default but stands behind a parameter with one", kind: .syntax,
                    range: name.range)
            }
        }
        try expect(.rightParenthesis)
        return signature
    }

    /// A body together with the names that it reads.
    private mutating func macroBody(name: String, signature: Signature, until end: String) throws -> MacroDefinition {
        let outer = names
        names = []
        let body = try body(until: end).body
        defer { names.formUnion(outer) }
        return MacroDefinition(name: name, signature: signature, body: body, names: names)
    }

    private mutating func macroStatement() throws -> Statement {
        advance()
        let name = try expectName().name
        return .macro(try macroBody(name: name, signature: try signature(), until: "endmacro"))
    }

    private mutating func callStatement() throws -> Statement {
        advance()
        let signature = current.isOperator(.leftParenthesis) ? try signature() : Signature()
        let call = try expression()
        guard case .call = call.kind else {
            throw Failure("expected the call of a macro", kind: .syntax, range: call.range)
        }
        return .call(call, caller: try macroBody(name: "caller", signature: signature, until: "endcall"))
    }

    private mutating func withStatement() throws -> Statement {
        advance()
        var assignments: [(Target, Expression)] = []
        while current.kind != .blockEnd, !current.isOperator(.colon) {
            if !assignments.isEmpty { try expect(.comma) }
            let target = try target()
            try expect(.assign)
            assignments.append((target, try expression()))
        }
        return .with(assignments, body: try body(until: "endwith").body)
    }

    private mutating func blockStatement() throws -> Statement {
        advance()
        let name = try expectName().name
        _ = skip(name: "scoped")
        _ = skip(name: "required")
        let body = try body(until: "endblock").body
        _ = skip(name: name)
        return .scope(body)
    }

    /// What can stand on the left of an assignment.
    private mutating func target(allowsAttributes: Bool = false, stopsAtIn: Bool = false) throws -> Target {
        var targets: [Target] = []
        var isTuple = false
        while true {
            if isTuple, current.isOperator(.assign) || current.kind == .blockEnd || current.isName("in") { break }
            targets.append(try singleTarget(allowsAttributes: allowsAttributes))
            guard skip(.comma) else { break }
            isTuple = true
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func singleTarget(allowsAttributes: Bool) throws -> Target {
        if skip(.leftParenthesis) {
            let inner = try target()
            try expect(.rightParenthesis)
            return inner
        }
        let (name, range) = try expectName()
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
            throw Failure("cannot assign to '\(name)'", kind: .syntax, range: range)
        }
        if allowsAttributes, skip(.dot) { return .attribute(of: name, try expectName().name) }
        return .name(name)
    }
}
