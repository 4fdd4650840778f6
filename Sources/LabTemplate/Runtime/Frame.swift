/// The variables of one scope of a template: the template itself, a pass of a loop, a macro call, a `with`.
final class Frame {
    private var variables: [String: Object] = [:]
    private let parent: Frame?

    init(parent: Frame?) { self.parent = parent }

    subscript(name: String) -> Object? {
        get {
            var frame: Frame? = self
            while let current = frame {
                if let found = current.variables[name] { return found }
                frame = current.parent
            }
            return nil
        }
        set { variables[name] = newValue }
    }

    /// All names that can be seen from here, for "did you mean".
    var names: [String] { Array(variables.keys) + (parent?.names ?? []) }
}

/// What a template writes: the one piece itself while there is only one, else the text of all pieces.
struct Output {
    private var only: Object?
    private var text = ""
    private var count = 0

    mutating func append(text more: String) throws {
        try append(.string(more))
    }

    /// As in Ansible, none writes nothing, and a single piece keeps its type.
    mutating func append(_ piece: Object) throws {
        switch piece {
        case .null: return
        case .undefined(let undefined) where !undefined.isLenient: throw undefined.failure
        default: break
        }
        count += 1
        if count == 1 {
            only = piece.snapshot
            return
        }
        if let first = only {
            text = try first.outputText()
            only = nil
        }
        text += try piece.outputText()
        guard text.utf8.count <= Limits.textSize else {
            throw Failure("the text grew above \(Limits.textSize >> 20) MiB")
        }
    }

    /// None when nothing was written.
    var result: Object {
        switch count {
        case 0: .null
        case 1: only ?? .null
        default: .string(text)
        }
    }
}

extension Object {
    /// The object as it is now: a list or a map that is written must not change with later statements.
    var snapshot: Object {
        switch self {
        case .list(let list): .list(list.copy())
        case .dict(let dict): .dict(dict.copy())
        default: self
        }
    }
}
