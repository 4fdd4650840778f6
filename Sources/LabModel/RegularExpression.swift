/// A regular expression from a user's text.
struct RegularExpression {
    private let regex: Regex<AnyRegexOutput>

    /// - Throws: when the text is no regular expression.
    init(_ text: String) throws {
        regex = try Regex(text)
    }

    /// Whether the expression matches from the start of the text, as Python's `re.match`.
    func matchesStart(of text: String) -> Bool {
        ((try? regex.prefixMatch(in: text)) ?? nil) != nil
    }
}
