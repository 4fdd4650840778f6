import LabCore

/// The permission bits that a task wants: `0644`, `u=rw,go=r`, `a+X`, `preserve`.
struct FileMode: Sendable, Hashable {
    enum Form: Sendable, Hashable {
        case absolute(Int)
        case symbolic([Clause])
        /// Those of the source file (`copy`, `template`).
        case preserve
    }

    struct Clause: Sendable, Hashable {
        /// Any of u, g, o; empty when none was written, so that the umask counts.
        var who: Set<Character>
        var operation: Character
        var permissions: [Character]
    }

    var form: Form
    var written: String

    /// Reads the mode as Ansible does: a number is taken as it is, a text as octal digits or symbolic.
    ///
    /// - Throws: `ModuleError` when it is neither.
    init(_ value: Value, span: SourceSpan? = nil) throws(ModuleError) {
        switch value {
        case .int(let number) where (0...0o7777).contains(number):
            self.init(.absolute(number), written: octal(number))
        case .string(let text):
            let trimmed = text.trimmingWhitespace()
            let digits = trimmed.hasPrefix("0o") ? trimmed.dropFirst(2) : trimmed[...]
            if let number = Int(digits, radix: 8), (0...0o7777).contains(number) {
                self.init(.absolute(number), written: octal(number))
            } else if trimmed == "preserve" {
                self.init(.preserve, written: trimmed)
            } else if let clauses = FileMode.clauses(of: trimmed) {
                self.init(.symbolic(clauses), written: trimmed)
            } else {
                throw FileMode.mistake(text, span: span)
            }
        default:
            throw FileMode.mistake(value.json(), span: span)
        }
    }

    init(_ form: Form, written: String) {
        self.form = form
        self.written = written
    }

    private static func mistake(_ text: String, span: SourceSpan?) -> ModuleError {
        ModuleError(
            "'\(text)' is no file mode", span: span,
            hint: "write octal digits in quotes ('0644') or symbols (u=rw,go=r)",
            failureClass: .input)
    }

    private static func clauses(of text: String) -> [Clause]? {
        var clauses: [Clause] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let first = part.firstIndex(where: { "+-=".contains($0) }) else { return nil }
            var who = Set(part[..<first])
            guard who.isSubset(of: ["u", "g", "o", "a"]) else { return nil }
            if who.contains("a") { who = ["u", "g", "o"] }
            var rest = part[first...]
            while let operation = rest.first {
                let permissions = rest.dropFirst().prefix { !"+-=".contains($0) }
                guard permissions.allSatisfy({ "rwxXstugo".contains($0) }) else { return nil }
                clauses.append(Clause(who: who, operation: operation, permissions: Array(permissions)))
                rest = rest.dropFirst(1 + permissions.count)
            }
        }
        return clauses
    }

    /// The bits that a file with the bits `current` gets. `umask` counts in clauses that name nobody (`+x`).
    func bits(applyingTo current: Int, isDirectory: Bool, umask: Int, source: Int? = nil) -> Int {
        switch form {
        case .absolute(let bits): return bits
        case .preserve: return source ?? current
        case .symbolic(let clauses):
            return clauses.reduce(current & 0o7777) { bits, clause in
                clause.apply(to: bits, isDirectory: isDirectory, umask: umask)
            }
        }
    }
}

extension FileMode.Clause {
    private static let shifts: [(who: Character, shift: Int)] = [("u", 6), ("g", 3), ("o", 0)]

    fileprivate func apply(to bits: Int, isDirectory: Bool, umask: Int) -> Int {
        let namesNobody = who.isEmpty
        let chosen = Self.shifts.filter { namesNobody || who.contains($0.who) }
        var wanted = 0
        for permission in permissions {
            for (person, shift) in chosen {
                switch permission {
                case "r": wanted |= 4 << shift
                case "w": wanted |= 2 << shift
                case "x": wanted |= 1 << shift
                case "X": if isDirectory || bits & 0o111 != 0 { wanted |= 1 << shift }
                case "s": wanted |= person == "u" ? 0o4000 : person == "g" ? 0o2000 : 0
                case "t": wanted |= 0o1000
                case "u": wanted |= (bits >> 6 & 7) << shift
                case "g": wanted |= (bits >> 3 & 7) << shift
                case "o": wanted |= (bits & 7) << shift
                default: break
                }
            }
        }
        if namesNobody { wanted &= ~umask | 0o7000 }
        switch operation {
        case "+": return bits | wanted
        case "-": return bits & ~wanted
        default:
            // `=` clears the special bit of the person too, but never the sticky bit of others' clauses.
            let cleared = chosen.reduce(0) { mask, choice in
                mask | 7 << choice.shift
                    | (choice.who == "u" ? 0o4000 : choice.who == "g" ? 0o2000 : 0o1000)
            }
            // chmod(1) keeps set-id bits of directories unless they are named.
            let kept = isDirectory && !permissions.contains("s") ? cleared & ~0o6000 : cleared
            return bits & ~kept | wanted
        }
    }
}

/// Permission bits as four octal digits: `0644`.
func octal(_ bits: Int) -> String {
    let digits = String(bits & 0o7777, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
