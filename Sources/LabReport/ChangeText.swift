import LabCore
import LabModules
import LabYAML

/// Changes in words, for a step's line, and field by field, for `--diff`.
struct ChangeText {
    let style: Style
    let width: Int
    /// Whether the changes were only planned.
    let isPlan: Bool
    /// Whether new things are shown whole, however long they are.
    var isVerbose = false

    /// A new thing that takes more lines than this is only named.
    private static let longestCreation = 12

    /// The changes in a few words: `created IPAddressPool metallb-system/lab-pool`, `24 created, 1 updated`.
    func summary(_ changes: [Change]) -> String {
        if changes.count == 1, let change = changes.first {
            let fields = change.action == .update && change.textDiff == nil ? fieldSummary(change.fields) : ""
            return "\(verb(change.action)) \(TextLayout.harmless(change.subject))\(fields)"
        }
        let order: [Change.Action] = [.create, .update, .delete, .run]
        return order.compactMap { action in
            let count = changes.count { $0.action == action }
            guard count > 0 else { return nil }
            return isPlan ? "\(verb(action)) \(count)" : "\(count) \(verb(action))"
        }.joined(separator: ", ")
    }

    private func fieldSummary(_ fields: [Change.Field]) -> String {
        switch fields.count {
        case 0: ""
        case 1...2: ": " + fields.map { "\($0.path)\(arrow($0))" }.joined(separator: ", ")
        default: ": \(fields[0].path) and \(fields.count - 1) more"
        }
    }

    private func arrow(_ field: Change.Field) -> String {
        guard let before = field.before, let after = field.after else { return "" }
        let text = " \(brief(before)) → \(brief(after))"
        return text.count <= 48 ? text : ""
    }

    private func verb(_ action: Change.Action) -> String {
        switch (action, isPlan) {
        case (.create, false): "created"
        case (.update, false): "updated"
        case (.delete, false): "deleted"
        case (.run, false): "ran"
        case (.create, true): "would create"
        case (.update, true): "would update"
        case (.delete, true): "would delete"
        case (.run, true): "would run"
        }
    }

    /// Each change with its fields, a line each: `+` added, `-` removed, `~` changed.
    func details(_ changes: [Change]) -> [String] {
        changes.flatMap { change -> [String] in
            let (mark, role): (String, Style.Role) =
                switch change.action {
                case .create: ("+", .added)
                case .delete: ("-", .removed)
                case .update, .run: ("~", .changed)
                }
            var lines = [style.text("\(mark) \(TextLayout.harmless(change.subject))", role)]
            if let diff = change.textDiff {
                lines += diff.split(separator: "\n", omittingEmptySubsequences: false).map {
                    "  " + coloured(String($0))
                }
                if lines.last == "  " { lines.removeLast() }
            } else {
                let fields = change.fields.flatMap(field)
                if change.action == .create, fields.count > Self.longestCreation, !isVerbose {
                    lines[0] += style.text("  (\(fields.count) lines, shown with -v)", .faint)
                } else {
                    lines += fields
                }
            }
            return lines
        }
    }

    /// A field of a change: its path, what it was and what it becomes, and whose it is.
    func field(_ field: Change.Field) -> [String] {
        let owner = field.owner.map { style.text("  (\(TextLayout.harmless($0)))", .faint) } ?? ""
        switch (field.before, field.after) {
        case (let before?, let after?):
            let old = brief(before)
            let new = brief(after)
            let ownerWidth = field.owner.map { TextLayout.width($0) + 4 } ?? 0
            if TextLayout.width(field.path) + TextLayout.width(old) + TextLayout.width(new) + 9 + ownerWidth <= width {
                return [
                    "    \(field.path): \(style.text(old, .removed)) → \(style.text(new, .added))\(owner)"
                ]
            }
            return ["    \(field.path):\(owner)"] + block(before, "-", .removed) + block(after, "+", .added)
        case (nil, let after?): return valueLines(field.path, after, mark: "+", role: .added, owner: owner)
        case (let before?, nil): return valueLines(field.path, before, mark: "-", role: .removed, owner: owner)
        case (nil, nil): return ["    \(field.path)\(owner)"]
        }
    }

    private func valueLines(
        _ path: String, _ value: Value, mark: String, role: Style.Role, owner: String
    ) -> [String] {
        let text = brief(value)
        if TextLayout.width(path) + TextLayout.width(text) + 8 <= width {
            return ["  \(style.text("\(mark) \(path): \(text)", role))\(owner)"]
        }
        return ["  \(style.text("\(mark) \(path):", role))\(owner)"] + block(value, mark, role)
    }

    private func block(_ value: Value, _ mark: String, _ role: Style.Role) -> [String] {
        let text = value.string ?? YAML.emit(value).trimmedLineBreak
        return TextLayout.harmless(text).split(separator: "\n", omittingEmptySubsequences: false).map {
            style.text("      \(mark) \($0)", role)
        }
    }

    private func coloured(_ line: String) -> String {
        let line = TextLayout.harmless(line)
        if line.hasPrefix("+") { return style.text(line, .added) }
        if line.hasPrefix("-") { return style.text(line, .removed) }
        return line.hasPrefix("@@") ? style.text(line, .faint) : line
    }

    private func brief(_ value: Value) -> String {
        let text = value.json()
        return TextLayout.harmless(text)
    }
}

extension String {
    fileprivate var trimmedLineBreak: String { hasSuffix("\n") ? String(dropLast()) : self }
}
