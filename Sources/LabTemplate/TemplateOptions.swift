/// How a template's text is read. The default is what Ansible uses for strings in YAML files.
package struct TemplateOptions: Sendable, Hashable {
    /// The first line break after a statement or a comment is dropped.
    package var trimBlocks = true
    /// White space before a statement or a comment that starts a line is dropped.
    package var stripsBeforeBlocks = false
    /// Backslashes in the string literals of `{{ }}` stand for themselves, because YAML had its turn already; in
    /// template files they start escapes. In statements they always start escapes.
    package var keepsBackslashes = true
    package var blockStart = "{%"
    package var blockEnd = "%}"
    package var variableStart = "{{"
    package var variableEnd = "}}"
    package var commentStart = "{#"
    package var commentEnd = "#}"

    package init() {}

    /// - Throws: `Failure` when delimiters are empty or the same.
    func validate() throws {
        let starts = [blockStart, variableStart, commentStart]
        guard (starts + [blockEnd, variableEnd, commentEnd]).allSatisfy({ !$0.isEmpty }), Set(starts).count == 3 else {
            throw Failure("the delimiters of blocks, variables and comments must be given and differ", kind: .syntax)
        }
    }

    /// For texts that are template files (the template module, the template lookup).
    package static var file: TemplateOptions {
        var options = TemplateOptions()
        options.keepsBackslashes = false
        return options
    }
}
