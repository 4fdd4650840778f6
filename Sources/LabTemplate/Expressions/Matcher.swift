/// A regular expression as instructions for a backtracking machine.
final class PatternProgram: Sendable {
    enum Instruction: Sendable {
        case scalar(Unicode.Scalar)
        case folded(Unicode.Scalar)
        case any
        case anyButNewline
        case set(ScalarSet, ignoresCase: Bool)
        case assertion(PatternNode.Assertion)
        case backreference(Int, ignoresCase: Bool)
        case save(Int)
        /// Goes on at the first, and at the second when that fails.
        case split(Int, Int)
        case jump(Int)
        /// Remembers the position in a register; leaves a loop whose pass matched nothing.
        case mark(Int)
        case leaveIfEmpty(Int, Int)
        /// Runs what follows up to its `accept` on its own, then goes on behind it.
        case look(behind: Int?, isNegated: Bool, next: Int)
        case atomic(next: Int)
        case conditional(Int, otherwise: Int)
        case accept
    }

    let code: [Instruction]
    let groupCount: Int
    let names: [String: Int]
    let registerCount: Int

    init(_ node: PatternNode, groupCount: Int, names: [String: Int]) throws {
        var builder = PatternBuilder()
        try builder.emit(node)
        self.code = builder.code + [.accept]
        self.registerCount = builder.registerCount
        self.groupCount = groupCount
        self.names = names
    }
}

/// Turns the tree of an expression into instructions.
private struct PatternBuilder {
    typealias Instruction = PatternProgram.Instruction
    var code: [Instruction] = []
    var registerCount = 0

    mutating func emit(_ node: PatternNode) throws {
        guard code.count < 50_000 else { throw Failure("the pattern is too large") }
        switch node {
        case .empty: break
        case .scalar(let scalar, let ignoresCase):
            code.append(ignoresCase ? .folded(ScalarSet.lowered(scalar)) : .scalar(scalar))
        case .any(let matchesNewlines): code.append(matchesNewlines ? .any : .anyButNewline)
        case .set(let set, let ignoresCase): code.append(.set(set, ignoresCase: ignoresCase))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .alternatives(let nodes): try emit(alternatives: nodes)
        case .group(let number, let node):
            code.append(.save(2 * number))
            try emit(node)
            code.append(.save(2 * number + 1))
        case .repeated(let node, let min, let max, let greed): try emit(node, min, max, greed)
        case .assertion(let assertion): code.append(.assertion(assertion))
        case .backreference(let group, let ignoresCase):
            code.append(.backreference(group, ignoresCase: ignoresCase))
        case .look(let node, let isBehind, let isNegated):
            try emitInner(node) { .look(behind: isBehind ? node.width : nil, isNegated: isNegated, next: $0) }
        case .atomic(let node): try emitInner(node) { .atomic(next: $0) }
        case .conditional(let group, let yes, let no):
            let start = code.count
            code.append(.accept)
            try emit(yes)
            let jump = code.count
            code.append(.accept)
            code[start] = .conditional(group, otherwise: code.count)
            try emit(no)
            code[jump] = .jump(code.count)
        }
    }

    private mutating func emitInner(_ node: PatternNode, _ instruction: (Int) -> Instruction) throws {
        let start = code.count
        code.append(.accept)
        try emit(node)
        code.append(.accept)
        code[start] = instruction(code.count)
    }

    private mutating func emit(alternatives nodes: [PatternNode]) throws {
        var jumps: [Int] = []
        for (index, node) in nodes.enumerated() {
            if index == nodes.count - 1 {
                try emit(node)
            } else {
                let split = code.count
                code.append(.accept)
                try emit(node)
                jumps.append(code.count)
                code.append(.accept)
                code[split] = .split(split + 1, code.count)
            }
        }
        for jump in jumps { code[jump] = .jump(code.count) }
    }

    private mutating func emit(_ node: PatternNode, _ min: Int, _ max: Int?, _ greed: PatternNode.Greed) throws {
        if greed == .possessive {
            return try emit(.atomic(.repeated(node, min: min, max: max, .greedy)))
        }
        for _ in 0..<min { try emit(node) }
        func split(_ body: Int, _ end: Int) -> Instruction { greed == .lazy ? .split(end, body) : .split(body, end) }
        if let max {
            var splits: [Int] = []
            for _ in min..<Swift.max(min, max) {
                splits.append(code.count)
                code.append(.accept)
                try emit(node)
            }
            for start in splits { code[start] = split(start + 1, code.count) }
            return
        }
        let register = registerCount
        registerCount += 1
        let start = code.count
        code.append(.accept)
        code.append(.mark(register))
        try emit(node)
        let check = code.count
        code.append(.accept)
        code.append(.jump(start))
        code[check] = .leaveIfEmpty(register, code.count)
        code[start] = split(start + 1, code.count)
    }
}

/// Runs a program over one text.
final class Matcher {
    /// Steps of one search; catastrophic patterns reach it within about a second.
    private static let maximumSteps = 5_000_000
    private let program: PatternProgram
    private let code: [PatternProgram.Instruction]
    private let text: [Unicode.Scalar]
    private var slots: [Int]
    private var registers: [Int]
    private var steps = 0
    private var depth = 0

    private enum Entry {
        case branch(pc: Int, position: Int)
        case slot(Int, Int)
        case register(Int, Int)
    }

    init(_ program: PatternProgram, _ text: [Unicode.Scalar]) {
        self.program = program
        self.code = program.code
        self.text = text
        self.slots = Array(repeating: -1, count: 2 * (program.groupCount + 1))
        self.registers = Array(repeating: -1, count: program.registerCount)
    }

    /// The slots of the first match at or after a position: start and end of every group, -1 for none.
    func match(from start: Int, _ kind: MatchKind, mustAdvance: Bool = false) throws -> [Int]? {
        for position in start...max(start, kind == .search ? text.count : start) {
            for index in slots.indices { slots[index] = -1 }
            let requiresEnd = kind == .fullmatch
            let avoided = mustAdvance && position == start ? position : nil
            if let end = try run(0, position, requiresEnd: requiresEnd, avoidedEnd: avoided) {
                slots[0] = position
                slots[1] = end
                return slots
            }
        }
        return nil
    }

    /// The position behind the match of the program from `pc`, or nil.
    private func run(_ start: Int, _ from: Int, requiresEnd: Bool = false, avoidedEnd: Int? = nil) throws -> Int? {
        depth += 1
        defer { depth -= 1 }
        guard depth < 60 else { throw Failure("the pattern is nested too deeply") }
        var pc = start
        var position = from
        var stack: [Entry] = []

        while true {
            steps += 1
            guard steps < Self.maximumSteps else {
                throw Failure(
                    "the pattern takes too long on this text", hint: "avoid repeated groups within repeated groups")
            }
            var succeeds = true
            switch code[pc] {
            case .scalar(let scalar):
                succeeds = position < text.count && text[position] == scalar
                position += 1
                pc += 1
            case .folded(let scalar):
                succeeds = position < text.count && ScalarSet.lowered(text[position]) == scalar
                position += 1
                pc += 1
            case .any:
                succeeds = position < text.count
                position += 1
                pc += 1
            case .anyButNewline:
                succeeds = position < text.count && text[position] != "\n"
                position += 1
                pc += 1
            case .set(let set, let ignoresCase):
                succeeds = position < text.count && set.contains(text[position], ignoresCase: ignoresCase)
                position += 1
                pc += 1
            case .assertion(let assertion):
                succeeds = holds(assertion, at: position)
                pc += 1
            case .backreference(let group, let ignoresCase):
                let length = matchedLength(group, at: position, ignoresCase)
                succeeds = length != nil
                position += length ?? 0
                pc += 1
            case .save(let slot):
                stack.append(.slot(slot, slots[slot]))
                slots[slot] = position
                pc += 1
            case .split(let first, let second):
                stack.append(.branch(pc: second, position: position))
                pc = first
            case .jump(let target): pc = target
            case .mark(let register):
                stack.append(.register(register, registers[register]))
                registers[register] = position
                pc += 1
            case .leaveIfEmpty(let register, let end): pc = registers[register] == position ? end : pc + 1
            case .look(let behind, let isNegated, let next):
                let saved = slots
                let from = position - (behind ?? 0)
                let found = from >= 0 ? try run(pc + 1, from) : nil
                let matches = found != nil && (behind == nil || found == position)
                succeeds = matches != isNegated
                if !matches || isNegated { slots = saved } else { remember(saved, &stack) }
                pc = next
            case .atomic(let next):
                let saved = slots
                if let end = try run(pc + 1, position) {
                    remember(saved, &stack)
                    position = end
                } else {
                    slots = saved
                    succeeds = false
                }
                pc = next
            case .conditional(let group, let otherwise):
                pc = 2 * group + 1 < slots.count && slots[2 * group + 1] >= 0 ? pc + 1 : otherwise
            case .accept:
                if requiresEnd && position != text.count || position == avoidedEnd {
                    succeeds = false
                } else {
                    return position
                }
            }
            if !succeeds {
                guard let branch = backtrack(&stack) else { return nil }
                (pc, position) = branch
            }
        }
    }

    /// Lets the groups of an inner run be undone together.
    private func remember(_ saved: [Int], _ stack: inout [Entry]) {
        for index in slots.indices where slots[index] != saved[index] { stack.append(.slot(index, saved[index])) }
    }

    private func backtrack(_ stack: inout [Entry]) -> (Int, Int)? {
        while let entry = stack.popLast() {
            switch entry {
            case .branch(let pc, let position): return (pc, position)
            case .slot(let slot, let value): slots[slot] = value
            case .register(let register, let value): registers[register] = value
            }
        }
        return nil
    }

    private func matchedLength(_ group: Int, at position: Int, _ ignoresCase: Bool) -> Int? {
        let (start, end) = (slots[2 * group], slots[2 * group + 1])
        guard start >= 0, end >= start, position + end - start <= text.count else { return nil }
        for offset in 0..<(end - start) {
            let (a, b) = (text[start + offset], text[position + offset])
            guard a == b || (ignoresCase && ScalarSet.lowered(a) == ScalarSet.lowered(b)) else { return nil }
        }
        return end - start
    }

    private func holds(_ assertion: PatternNode.Assertion, at position: Int) -> Bool {
        func isWord(_ index: Int) -> Bool { text.indices.contains(index) && ScalarSet.isWord(text[index]) }
        return switch assertion {
        case .textStart: position == 0
        case .textEnd: position == text.count
        case .textEndOrLastBreak:
            position == text.count || (position == text.count - 1 && text[position] == "\n")
        case .lineStart: position == 0 || text[position - 1] == "\n"
        case .lineEnd: position == text.count || text[position] == "\n"
        case .wordBoundary: isWord(position - 1) != isWord(position)
        case .notWordBoundary: isWord(position - 1) == isWord(position)
        }
    }
}
