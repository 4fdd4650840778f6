import LabCore
import LabReport
import LabSSH
import LabTransport
import Synchronization

/// One `labctl cp`: which files go between which ends, and what is told of it.
struct CopyRun: Sendable {
    /// What goes between two ends.
    struct Leg: Sendable {
        /// nil for this machine.
        var from: Reach.Target?
        var to: Reach.Target?
        var sources: [String]
        var target: String
        var needsFolder = false
        /// A folder that is made for what one of several hosts sends.
        var ownFolder = false

        /// What the result is told under.
        var name: String {
            switch (from, to) {
            case (let from?, let to?): "\(from.host) → \(to.host)"
            case (let from?, nil): from.host
            case (nil, let to?): to.host
            case (nil, nil): "localhost"
            }
        }
    }

    private struct Outcome: Sendable {
        var meter = CopyMeter.Reading()
        var duration = Duration.zero
        var failures: [Diagnostic] = []
        var failureClass: FailureClass?
    }

    let legs: [Leg]
    let isRecursive: Bool
    let keeps: Bool
    let output: OutputOptions
    private let links = Links()

    init(legs: [Leg], isRecursive: Bool, keeps: Bool, output: OutputOptions) {
        self.legs = legs
        self.isRecursive = isRecursive
        self.keeps = keeps
        self.output = output
    }

    /// Copies, `forks` legs at once, and tells the result of each.
    ///
    /// - Returns: the exit status of labctl.
    func run(forks: Int) async -> Int32 {
        let meters = legs.map { _ in CopyMeter() }
        let finished = Counter()
        let progress = CopyProgress(isWanted: output.output == .text && !output.noColor)
        let drawing = Task {
            await progress?.run {
                var sum = CopyMeter.Reading()
                for meter in meters.map(\.reading) {
                    sum.expectedFiles += meter.expectedFiles
                    sum.expectedBytes += meter.expectedBytes
                    sum.files += meter.files
                    sum.bytes += meter.bytes
                }
                return (sum, (finished.value, meters.count))
            }
        }
        let highest = await withTaskGroup(of: (Leg, Outcome).self) { group in
            var highest: Int32 = 0
            var waiting = Array(zip(legs, meters))[...]
            func start() {
                guard let (leg, meter) = waiting.popFirst() else { return }
                group.addTask { (leg, await run(leg, meter)) }
            }
            for _ in 0..<max(forks, 1) { start() }
            while let (leg, outcome) = await group.next() {
                finished.increment()
                progress?.clear()
                show(outcome, of: leg)
                highest = max(highest, outcome.failureClass?.rawValue ?? 0)
                start()
            }
            return highest
        }
        drawing.cancel()
        await drawing.value
        await links.close()
        return highest
    }

    private func run(_ leg: Leg, _ meter: CopyMeter) async -> Outcome {
        let start = ContinuousClock.now
        var outcome = Outcome()
        func fail(_ diagnostics: [Diagnostic], _ failureClass: FailureClass) {
            outcome.failures += diagnostics
            outcome.failureClass = failureClass
        }
        do {
            try Task.checkCancellation()
            let source = try await end(leg.from)
            let target = try await end(leg.to)
            var folder = leg.target
            if leg.ownFolder {
                folder = (folder.isEmpty || folder.hasSuffix("/") ? folder : folder + "/") + (leg.from?.host ?? "")
                try await target.makeFolders([folder])
            }
            let job = CopyJob(
                sources: leg.sources, target: folder, needsFolder: leg.needsFolder || leg.sources.count > 1,
                isRecursive: isRecursive,
                keeps: keeps, meter: meter)
            let failures = try await job.run(from: source, to: target)
            if !failures.isEmpty { fail(failures.map { diagnostic($0, leg) }, .failed) }
        } catch is CancellationError {
            fail([], .interrupted)
        } catch let error as CopyFailure {
            fail([diagnostic(error, leg)], .failed)
        } catch let error as any DiagnosticError {
            fail(error.diagnostics, error.failureClass)
        } catch {
            fail([Diagnostic("\(leg.name): \(error)")], .failed)
        }
        outcome.meter = meter.reading
        outcome.duration = .now - start
        return outcome
    }

    private func end(_ target: Reach.Target?) async throws -> any CopyEnd {
        guard let target, case .ssh(let endpoint) = target.access else { return LocalCopyEnd() }
        return RemoteCopyEnd(connection: try await links.open(endpoint), become: target.become)
    }

    private func diagnostic(_ failure: CopyFailure, _ leg: Leg) -> Diagnostic {
        Diagnostic(
            "\(leg.name): \(failure.message)", notes: failure.notes.map { Diagnostic.Note($0) }, hint: failure.hint)
    }

    // MARK: Telling

    private func show(_ outcome: Outcome, of leg: Leg) {
        if output.output == .json {
            var object: Value = [
                "host": .string(leg.name), "files": .int(outcome.meter.files), "bytes": .int(outcome.meter.bytes),
                "duration_ms": .int(Int((outcome.duration / .milliseconds(1)).rounded())),
            ]
            if case .map(var map) = object {
                if outcome.failureClass == .interrupted { map["interrupted"] = true }
                if outcome.failureClass == .unreachable { map["unreachable"] = true }
                if !outcome.failures.isEmpty { map["errors"] = .list(outcome.failures.map(JSONDiagnostic.object)) }
                object = .map(map)
            }
            return StandardStream.output.line(object.json())
        }
        if !outcome.failures.isEmpty { Failure.show(outcome.failures) }
        let style = Surroundings.style(.output, noColor: output.noColor)
        let width = legs.map(\.name.count).max() ?? 0
        let name = leg.name + String(repeating: " ", count: width - leg.name.count)
        let files = "\(outcome.meter.files) \(outcome.meter.files == 1 ? "file" : "files")"
        let seconds = (outcome.duration / .milliseconds(100)).rounded() / 10
        var line = "\(name)  \(files), \(CopyProgress.size(outcome.meter.bytes)) in \(seconds) s"
        if outcome.failureClass == .interrupted {
            line += "  " + style.text("interrupted", .failed)
        } else if !outcome.failures.isEmpty {
            line += "  " + style.text("\(outcome.failures.count) failed", .failed)
        }
        StandardStream.output.line(line)
    }
}

/// A number that several tasks see.
private final class Counter: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func increment() { number.withLock { $0 += 1 } }
}

/// The connections of a copy, one per host however many legs it has.
private actor Links {
    private let transport = Reach.transport()
    private var tasks: [Endpoint: Task<SSHConnection, any Error>] = [:]

    func open(_ endpoint: Endpoint) async throws -> SSHConnection {
        let task: Task<SSHConnection, any Error>
        if let known = tasks[endpoint] {
            task = known
        } else {
            task = Task { [transport] in try await transport.open(endpoint) }
            tasks[endpoint] = task
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    func close() async {
        for task in tasks.values {
            if let connection = try? await task.value { await connection.close() }
        }
        tasks = [:]
    }
}
