import LabCore

/// Shows diagnostics to people: what, where with an excerpt and a caret, why, and what to try.
///
/// ```
/// error: unknown module 'commnad'
///   --> Roles/web/tasks/main.yml:3:3
///    |
///  3 |   commnad: ls
///    |   ^^^^^^^
///    = try: did you mean 'command'?
/// ```
package struct DiagnosticRenderer: Sendable {
    private let style: Style
    private let width: Int

    /// - Parameter width: the columns of the terminal; long sentences are wrapped, excerpts are cut around the caret.
    package init(style: Style, width: Int) {
        self.style = style
        self.width = max(width, 20)
    }

    /// All diagnostics, with an empty line between them, ended by a line break.
    package func render(_ diagnostics: [Diagnostic]) -> String {
        diagnostics.map(render).joined(separator: "\n")
    }

    /// One diagnostic, ended by a line break.
    package func render(_ diagnostic: Diagnostic) -> String {
        let (word, role): (String, Style.Role) =
            switch diagnostic.severity {
            case .error: ("error", .failed)
            case .warning: ("warning", .warning)
            case .note: ("note", .strong)
            }
        var lines: [String] = []
        let message = TextLayout.wrap(TextLayout.harmless(diagnostic.message), to: width - word.count - 2)
        lines.append(style.text(word, role) + style.text(": " + (message.first ?? ""), .strong))
        lines += message.dropFirst().map { String(repeating: " ", count: word.count + 2) + style.text($0, .strong) }

        let spans = ([diagnostic.span] + diagnostic.notes.map(\.span)).compactMap(\.self)
        let gutter = spans.map { String($0.start.line).count }.max() ?? 1
        if let span = diagnostic.span { lines += excerpt(span, gutter: gutter, role: role) }
        for note in diagnostic.notes {
            lines += sentence("", note.message, gutter: gutter)
            // What is shown above already needs no second look.
            if let span = note.span, span != diagnostic.span {
                lines += excerpt(span, gutter: gutter, role: .strong)
            }
        }
        if let hint = diagnostic.hint { lines += sentence("try: ", hint, gutter: gutter) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A sentence under the excerpt, wrapped with its own indentation.
    private func sentence(_ label: String, _ text: String, gutter: Int) -> [String] {
        let margin = String(repeating: " ", count: gutter + 2)
        let lines = TextLayout.wrap(TextLayout.harmless(text), to: max(width - gutter - 4 - label.count, 20))
        return lines.enumerated().map { index, line in
            index == 0
                ? margin + style.text("= ", .faint) + style.text(label, .strong) + line
                : margin + "  " + String(repeating: " ", count: label.count) + line
        }
    }

    private func excerpt(_ span: SourceSpan, gutter: Int, role: Style.Role) -> [String] {
        let margin = String(repeating: " ", count: gutter + 1)
        var lines = [margin + style.text("--> ", .faint) + span.description]
        guard let line = span.file.shownLine(span.start.line), !line.isEmpty else { return lines }
        let window = ExcerptWindow(line: line, span: span, columns: max(width - gutter - 4, 16))
        let number = TextLayout.padLeft(String(span.start.line), to: gutter)
        lines.append(margin + " " + style.text("|", .faint))
        lines.append(" " + style.text(number + " |", .faint) + " " + window.text)
        lines.append(margin + " " + style.text("|", .faint) + " " + style.text(window.carets, role))
        return lines
    }
}

/// The part of a line that is shown, and the carets beneath it.
private struct ExcerptWindow {
    let text: String
    let carets: String

    init(line: String, span: SourceSpan, columns: Int) {
        // One column a scalar, as columns are counted in scalars; tabs and control characters would disturb the carets.
        var scalars = line.unicodeScalars.map { scalar -> Unicode.Scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? (scalar == "\t" ? " " : "\u{FFFD}") : scalar
        }
        var caret = min(max(span.start.column - 1, 0), scalars.count)
        let isOneLine = span.end.line == span.start.line
        let end = isOneLine ? max(span.end.column - 1, caret + 1) : max(scalars.count, caret + 1)
        var length = max(end - caret, 1)
        if scalars.count > columns {
            let first = max(0, min(caret - columns / 3, scalars.count - columns))
            let last = min(scalars.count, first + columns)
            let isCutBefore = first > 0
            let isCutAfter = last < scalars.count
            scalars = Array(scalars[first..<last])
            if isCutBefore { scalars[0] = "…" }
            if isCutAfter { scalars[scalars.count - 1] = "…" }
            caret -= first
        }
        length = max(1, min(length, columns - caret))
        let before = scalars.prefix(caret).reduce(0) { $0 + TextLayout.width(String($1)) }
        let under = scalars.dropFirst(caret).prefix(length).reduce(0) { $0 + TextLayout.width(String($1)) }
        var shown = String.UnicodeScalarView()
        shown.append(contentsOf: scalars)
        text = String(shown)
        carets = String(repeating: " ", count: before) + String(repeating: "^", count: max(under, 1))
    }
}
