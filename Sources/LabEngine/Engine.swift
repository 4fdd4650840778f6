import LabCore
import LabModel
import LabModules
import LabTemplate
import LabTransport

/// Brings hosts to the state that plays describe, and reports. Prints nothing.
package struct Engine: Sendable {
    private let registry: ModuleRegistry
    private let transport: any Transport
    private let local: any Transport
    private let insight: (any CommandInsight)?

    /// - Parameters:
    ///   - transport: how hosts are reached.
    ///   - local: how the laptop itself runs commands (`delegate_to: localhost`).
    ///   - insight: what is known of single commands, beyond the modules.
    package init(
        registry: ModuleRegistry, transport: any Transport, local: any Transport, insight: (any CommandInsight)? = nil
    ) {
        self.registry = registry
        self.transport = transport
        self.local = local
        self.insight = insight
    }

    /// Runs the plays. Everything that goes wrong is in the report; cancelling the calling task ends the run soon, with
    /// `always` sections carried out, and the report says that it was interrupted.
    ///
    /// - Parameter events: called from many threads, once for each thing that happens, with `runFinished` last.
    package func run(_ plan: RunPlan, events: @escaping @Sendable (Event) -> Void) async -> Report {
        let start = ContinuousClock.now
        var report = Report(
            title: plan.title, hosts: Array(plan.inventory.hosts.keys), isCheck: plan.options.isCheck,
            changesAreFindings: plan.options.changesAreFindings)
        let pool = ConnectionPool(
            transport: transport, local: local, reconnectLimit: plan.options.reconnectLimit
        ) { host, address, duration in
            events(.hostConnected(host: host, address: address, duration: duration))
        }
        let storage = RunStorage()
        let selection = select(plan)
        events(
            .runStarted(
                RunStart(
                    title: plan.title, hosts: selection.hosts, isCheck: plan.options.isCheck,
                    proves: plan.options.proves)))
        if let failure = selection.failure {
            report.failures = [failure]
        } else {
            do {
                let controller = try await local.connect(to: Endpoint(hostName: "localhost", address: "localhost"))
                try await runPasses(plan, selection, pool, storage, controller, into: &report, events)
                await controller.close()
            } catch {
                let failure = FailureDescription(error, span: nil)
                report.failures.append(
                    Report.Failure(diagnostics: failure.diagnostics, failureClass: failure.failureClass))
            }
        }
        await Self.atMost(.seconds(5)) {
            await storage.close()
            await pool.close()
        }
        report.duration = ContinuousClock.now - start
        events(.runFinished(report))
        return report
    }

    /// Does something to its end although the calling task may be cancelled, but waits no longer than `limit` for it.
    private static func atMost(_ limit: Duration, _ body: @escaping @Sendable () async -> Void) async {
        await _Concurrency.Task.detached {
            let (ends, end) = AsyncStream<Void>.makeStream()
            let work = _Concurrency.Task.detached {
                await body()
                end.finish()
            }
            let timer = _Concurrency.Task.detached {
                try? await _Concurrency.Task.sleep(for: limit)
                end.finish()
                work.cancel()
            }
            for await _ in ends {}
            timer.cancel()
        }.value
    }

    private func runPasses(
        _ plan: RunPlan, _ selection: Selection, _ pool: ConnectionPool, _ storage: RunStorage,
        _ controller: any Connection, into report: inout Report, _ events: @escaping @Sendable (Event) -> Void
    ) async throws {
        var lastTask = 0
        for pass in 1...2 {
            let state = RunState(
                plan: plan, playHosts: selection.plays, registry: registry, insight: insight, pool: pool,
                storage: storage, controller: controller, pass: pass, firstTask: lastTask, events: events)
            if pass == 1, !plan.options.removes,
                let failure = RunValidation(run: state, plays: Array(zip(plan.plays, selection.plays))).check()
            {
                report.failures.append(failure)
                return
            }
            for number in plan.plays.indices {
                await runPlay(number, state)
                if state.mustStop { break }
            }
            await PlayRunner.pruneAtEnd(of: state)
            lastTask = state.lastTaskNumber
            report.records += state.allRecords
            report.failures += state.allFailures
            report.isInterrupted = state.isInterrupted || _Concurrency.Task.isCancelled
            // What failed the first time proves nothing.
            guard pass == 1, plan.options.proves, !plan.options.isCheck, report.exitCode == 0 || report.exitCode == 3
            else { return }
            report.hasProvingPass = true
            events(.provingStarted)
        }
    }

    private func runPlay(_ number: Int, _ state: RunState) async {
        let (play, hosts) = (state.plan.plays[number], state.playHosts[number])
        guard !hosts.isEmpty else {
            if !play.isEmpty {
                state.emit(
                    .told(Diagnostic("no host matches the play", span: play.hosts.span, severity: .warning)))
            }
            return
        }
        state.emit(.playStarted(name: play.name, hosts: hosts))
        if state.pass == 1 { for note in play.notes { state.emit(.told(note)) } }
        for host in hosts { state.host(host).hasEnded = false }
        var handlers = play.handlers
        for batch in batches(of: hosts, play, state) {
            let context = PlayContext(
                run: state, play: play, allHosts: hosts, batch: batch, handlers: handlers)
            guard !context.active(batch).isEmpty else { continue }
            await PlayRunner(context: context).runSections()
            handlers = context.handlers
            for host in batch { state.host(host).fileLayers = nil }
            if state.mustStop || context.hasEnded { return }
            // When a whole batch failed, the rest of the play is not tried (ansible-core does the same).
            if context.active(batch).isEmpty,
                batch.allSatisfy({ state.host($0).isFailed || state.host($0).isUnreachable })
            {
                return
            }
        }
    }

    /// The batches of `serial`: numbers or percentages, the last repeated.
    private func batches(of hosts: [String], _ play: Play, _ state: RunState) -> [[String]] {
        guard !play.serial.isEmpty else { return [hosts] }
        let scope = PlayContext(
            run: state, play: play, allHosts: hosts, batch: hosts, handlers: []
        ).scope(hosts[0])
        let sizes = play.serial.map { source -> Int in
            let value = (try? source.rendered(scope)) ?? source.value
            if let text = value.string, text.hasSuffix("%"), let percent = Double(text.dropLast()) {
                return max(1, Int(Double(hosts.count) * percent / 100))
            }
            return Int(keyword: value) ?? 0
        }
        var batches: [[String]] = []
        var rest = hosts[...]
        var index = 0
        while !rest.isEmpty {
            let size = sizes[min(index, sizes.count - 1)]
            batches.append(Array(rest.prefix(size > 0 ? size : rest.count)))
            rest = rest.dropFirst(size > 0 ? size : rest.count)
            index += 1
        }
        return batches
    }

    // MARK: hosts

    private struct Selection {
        /// The hosts of each play.
        var plays: [[String]] = []
        /// All of them, each once.
        var hosts: [String] = []
        var failure: Report.Failure?
    }

    /// Finds the hosts of all plays before any of them runs.
    private func select(_ plan: RunPlan) -> Selection {
        var selection = Selection()
        var layers = VariableLayers()
        layers.add(plan.options.extraVariables)
        for play in plan.plays {
            do {
                layers.add(play.variables)
                var magic = MagicVariables(inventory: plan.inventory, hostName: nil)
                magic.digest = Checksum.named
                let scope = LabModel.VariableScope(layers: layers, magic: magic)
                let value = try play.hosts.rendered(scope)
                let patterns = (value.list ?? [value]).compactMap { String(keyword: $0) }
                let hosts = try plan.inventory.hosts(
                    matching: patterns, limit: plan.options.limit, span: play.hosts.span
                ).map(\.name)
                selection.plays.append(hosts)
                selection.hosts += hosts.filter { !selection.hosts.contains($0) }
            } catch {
                let failure = FailureDescription(error, span: play.hosts.span)
                selection.failure = Report.Failure(
                    diagnostics: failure.diagnostics, failureClass: failure.failureClass)
            }
        }
        return selection
    }
}

extension Play {
    /// Whether there is nothing to run.
    fileprivate var isEmpty: Bool { preTasks.isEmpty && roles.isEmpty && tasks.isEmpty && postTasks.isEmpty }
}
