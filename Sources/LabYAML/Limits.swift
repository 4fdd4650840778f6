/// Bounds that keep a hostile file from costing more than its size is worth.
package struct Limits: Sendable {
    /// Bytes of the input; offsets are 32 bits wide.
    package var bytes = Int(UInt32.max) - 16
    /// Collections inside of each other. Everything that walks a value does so recursively.
    package var depth = 512
    /// Bytes of an implicit key (YAML 1.2.2, 7.4.2, [154]).
    package var implicitKey = 1024
    /// Nodes of a document after its aliases were followed: this many, or ten times the nodes that are written.
    package var expandedNodes = 1_000_000
    /// Mistakes that are reported together.
    package var mistakes = 20

    package init() {}
}
