/// What a template may use up before it is stopped.
enum Limits {
    /// Items of one range and passes of all loops together.
    static let iterations = 1_000_000
    /// Bytes of a text that a template builds.
    static let textSize = 64 << 20
    /// Nested evaluations: expressions, macros in macros.
    static let depth = 200
}
