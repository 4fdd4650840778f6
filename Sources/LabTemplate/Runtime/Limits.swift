/// What a template may use up before it is stopped.
enum Limits {
    /// Items of one range and passes of all loops together.
    static let iterations = 250_000
    /// Bytes of a text that a template builds.
    static let textSize = 64 << 20
    /// Numbers that say how long or how wide something is to be.
    static let width = 1_000_000
    /// Lists in lists, when they are compared, flattened or given out.
    static let nesting = 300
    /// Nested evaluations: expressions, macros in macros.
    static let depth = 120
    /// Renderings within each other: a variable whose value is a template with a variable, and so on.
    static let renderings = 40
}
