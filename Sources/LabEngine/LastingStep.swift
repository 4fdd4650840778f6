import LabCore
import LabModules
import LabTransport

/// A step that outlasts the loss of its connection, where what was under way may be done again; else it says that nobody
/// knows how far it came.
struct LastingStep: Sendable {
    /// So many losses of one step are its own doing.
    private static let lossLimit = 3

    let step: ModuleStep
    let pool: ConnectionPool
    /// Shows how it goes.
    let report: @Sendable (String) -> Void

    /// - Throws: as `ModuleStep.run`; `ConnectionError` of kind `lost` when the connection is lost for good.
    func run() async throws -> ModuleStep.Result {
        let host = step.context.hostName
        let before = await pool.reconnections(of: host)
        var progress = ModuleStep.Progress()
        var losses = 0
        while true {
            do {
                var result = try await step.run(&progress)
                if await pool.reconnections(of: host) > before {
                    result.record.notes.append("connection lost, reconnected")
                }
                return result
            } catch {
                if _Concurrency.Task.isCancelled { throw CancellationError() }
                guard await pool.isLost(host) else { throw error }
                losses += 1
                let loss = Self.loss(error, host)
                guard step.mayGoOn(progress) else { throw loss.ofRunningCommand }
                guard losses <= Self.lossLimit else {
                    throw loss.adding(notes: ["it was lost \(losses) times during this step"])
                }
                try await reconnect(after: loss)
            }
        }
    }

    private func reconnect(after loss: ConnectionError) async throws {
        report("connection lost; connecting again")
        do {
            _ = try await step.context.connection()
        } catch let error as ConnectionError {
            throw loss.adding(notes: error.notes, hint: error.hint)
        }
        report("connected again")
    }

    /// What the step's failure says of the loss: modules tell it in words of their own.
    private static func loss(_ error: any Error, _ host: String) -> ConnectionError {
        if let error = error as? ConnectionError, error.kind == .lost || error.kind == .closed { return error }
        let words = (error as? any DiagnosticError)?.diagnostics.map(\.message) ?? []
        return ConnectionError(.lost, hostName: host, "the connection was lost", notes: words)
    }
}
