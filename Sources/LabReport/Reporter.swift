import LabEngine

/// Shows a run to somebody, event by event.
package protocol Reporter: Sendable {
    /// Takes the next event. Called from several threads; each call is shown whole.
    func handle(_ event: Event)
    /// Ends the showing: what was held back is written.
    func finish()
}

extension Reporter {
    package func finish() {}
}
