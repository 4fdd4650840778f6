/// Colours and weights for text, or none of them.
package struct Style: Sendable, Hashable {
    /// What a text is, rather than how it looks.
    package enum Role: Sendable, Hashable { case ok, changed, skipped, failed, warning, faint, strong, added, removed }

    package let isColoured: Bool

    package init(isColoured: Bool) { self.isColoured = isColoured }

    /// No escape sequences at all.
    package static let plain = Style(isColoured: false)

    /// The text in its role's look, with ECMA-48 escape sequences (SGR).
    package func text(_ text: String, _ role: Role) -> String {
        guard isColoured, !text.isEmpty else { return text }
        let code =
            switch role {
            case .ok: "32"
            case .changed: "33"
            case .skipped, .faint: "2"
            case .failed: "1;31"
            case .warning: "35"
            case .strong: "1"
            case .added: "32"
            case .removed: "31"
            }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
