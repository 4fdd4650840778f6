import LabCore

/// What a role takes at one of its entry points (`meta/argument_specs.yml`).
package struct ArgumentSpecification: Sendable {
    /// The types of arguments, by Ansible's names.
    package enum Kind: String, Sendable, CaseIterable {
        case string = "str"
        case list, dict, bool, int, float, path, raw
        case jsonArgument = "jsonarg"
        case json, bytes, bits
    }

    /// One argument that the role takes, or one key of such an argument.
    package struct Option: Sendable {
        package var name: String
        package var kind: Kind
        /// The type of a list's elements.
        package var elements: Kind?
        package var isRequired: Bool
        package var choices: [Value]
        package var defaultValue: SourceValue?
        package var description: String?
        package var aliases: [String] = []
        /// What a map, or each map of a list, holds; nil when anything.
        package var options: [Option]?
        package var span: SourceSpan?

        package init(
            name: String, kind: Kind = .string, elements: Kind? = nil, required: Bool = false, choices: [Value] = [],
            default defaultValue: SourceValue? = nil, description: String? = nil, options: [Option]? = nil,
            span: SourceSpan? = nil
        ) {
            self.name = name
            self.kind = kind
            self.elements = elements
            self.isRequired = required
            self.choices = choices
            self.defaultValue = defaultValue
            self.description = description
            self.options = options
            self.span = span
        }
    }

    package var role: String
    package var entryPoint: String
    package var summary: String?
    package var options: [Option]

    package init(role: String, entryPoint: String, summary: String? = nil, options: [Option]) {
        self.role = role
        self.entryPoint = entryPoint
        self.summary = summary
        self.options = options
    }
}
