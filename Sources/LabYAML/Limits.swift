/// Bounds that keep a hostile file from costing more than its size is worth.
package struct Limits: Sendable {
    /// Bytes of the input; offsets are 32 bits wide, so that it must be below 4 GB.
    package var bytes = 512 << 20
    /// Nodes of the stream; one takes 28 bytes, and two bytes of text can make two of them.
    package var nodes = 20_000_000
    /// Collections inside of each other. Everything that walks a value does so recursively.
    package var depth = 256
    /// Bytes of an implicit key (YAML 1.2.2, 7.4.2, [154]).
    package var implicitKey = 1024
    /// Nodes of a document after its aliases were followed and its maps merged: this many, or ten times the nodes that
    /// are written.
    package var expandedNodes = 1_000_000
    /// Mistakes that are reported together.
    package var mistakes = 20

    package init() {}
}
