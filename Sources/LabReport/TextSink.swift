/// Where rendered text goes: standard output, a file, a test's memory.
package protocol TextSink: Sendable {
    func write(_ text: String)
}
