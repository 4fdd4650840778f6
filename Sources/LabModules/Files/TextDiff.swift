/// Differences of two texts as people read them.
package enum TextDiff {
    /// A unified diff with three lines around each change; nil when the texts are equal.
    ///
    /// Texts with NUL bytes or with more than 20 000 lines are only said to differ.
    package static func unified(
        before: String?, after: String?, beforeName: String, afterName: String
    ) -> String? {
        guard before != after else { return nil }
        let header = "--- \(before == nil ? "/dev/null" : beforeName)\n+++ \(after == nil ? "/dev/null" : afterName)\n"
        let old = before ?? ""
        let new = after ?? ""
        if old.utf8.contains(0) || new.utf8.contains(0) { return header + "binary contents differ\n" }
        let oldLines = lines(of: old)
        let newLines = lines(of: new)
        if oldLines.count > 20_000 || newLines.count > 20_000 { return header + "contents differ\n" }
        return header + hunks(edits(from: oldLines, to: newLines))
    }

    private struct Edit {
        var sign: Character
        var text: Substring
    }

    private static func lines(of text: String) -> [Substring] {
        guard !text.isEmpty else { return [] }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true {
            lines.removeLast()
        } else if let last = lines.popLast() {
            // diff(1) says this below the last line.
            lines.append(last + "\n\\ No newline at end of file")
        }
        return lines
    }

    private static func edits(from old: [Substring], to new: [Substring]) -> [Edit] {
        let difference = new.difference(from: old)
        var removed = Set<Int>()
        var inserted = Set<Int>()
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var edits: [Edit] = []
        var (oldIndex, newIndex) = (0, 0)
        while oldIndex < old.count || newIndex < new.count {
            if removed.contains(oldIndex), oldIndex < old.count {
                edits.append(Edit(sign: "-", text: old[oldIndex]))
                oldIndex += 1
            } else if inserted.contains(newIndex), newIndex < new.count {
                edits.append(Edit(sign: "+", text: new[newIndex]))
                newIndex += 1
            } else {
                edits.append(Edit(sign: " ", text: new[newIndex]))
                oldIndex += 1
                newIndex += 1
            }
        }
        return edits
    }

    private static func hunks(_ edits: [Edit], context: Int = 3) -> String {
        var text = ""
        var (oldLine, newLine) = (1, 1)
        var index = 0
        while index < edits.count {
            guard let change = edits[index...].firstIndex(where: { $0.sign != " " }) else { break }
            let start = max(index, change - context)
            oldLine += start - index
            newLine += start - index
            // A hunk goes on until more than twice the context lies between two changes.
            var end = change + 1
            var last = change
            while end < edits.count, end - last <= 2 * context {
                if edits[end].sign != " " { last = end }
                end += 1
            }
            end = min(edits.count, last + 1 + context)
            let hunk = edits[start..<end]
            let oldCount = hunk.count { $0.sign != "+" }
            let newCount = hunk.count { $0.sign != "-" }
            text += "@@ -\(range(oldLine, oldCount)) +\(range(newLine, newCount)) @@\n"
            for edit in hunk { text += "\(edit.sign)\(edit.text)\n" }
            oldLine += oldCount
            newLine += newCount
            index = end
        }
        return text
    }

    /// As diff(1) writes it: an empty range names the line before it, a count of one is left out.
    private static func range(_ start: Int, _ count: Int) -> String {
        count == 1 ? "\(start)" : "\(count == 0 ? start - 1 : start),\(count)"
    }
}
