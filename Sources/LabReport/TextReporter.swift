import LabCore
import LabEngine
import LabTransport
import Synchronization

/// Shows a run as text for people: one line a step, a recap, and on a terminal a line that says what is under way.
package final class TextReporter: Reporter {
    /// How the text looks.
    package struct Options: Sendable {
        package var style: Style
        /// The columns of the terminal, or of what the text goes to.
        package var width: Int
        /// Whether the text goes to a terminal on which a line can be drawn over.
        package var isLive: Bool
        package var showsDiff: Bool
        package var isVerbose: Bool

        package init(
            style: Style = .plain, width: Int = 100, isLive: Bool = false, showsDiff: Bool = false,
            isVerbose: Bool = false
        ) {
            self.style = style
            self.width = max(width, 30)
            self.isLive = isLive
            self.showsDiff = showsDiff
            self.isVerbose = isVerbose
        }
    }

    private struct UnderWay {
        var name: String
        var text: String?
        var since: ContinuousClock.Instant
    }

    private struct State {
        var hostColumn = 0
        var hasLiveLine = false
        var underWay: [String: UnderWay] = [:]
        var order: [String] = []
        var showsPlayNames = false
    }

    private let options: Options
    private let sink: any TextSink
    private let state = Mutex(State())
    private let ticker = Mutex<Task<Void, Never>?>(nil)

    package init(options: Options, sink: any TextSink) {
        self.options = options
        self.sink = sink
    }

    package func handle(_ event: Event) {
        switch event {
        case .runStarted(let start): self.start(start)
        case .taskStarted(let task, let host):
            state.withLock { state in
                let key = "\(task.number)@\(host)"
                state.underWay[key] = UnderWay(name: task.name, text: nil, since: .now)
                state.order.append(key)
                redraw(&state)
            }
        case .progress(let task, let host, let text):
            state.withLock { state in
                state.underWay["\(task.number)@\(host)"]?.text = text
                redraw(&state)
            }
        case .output(_, let host, let piece):
            if options.isVerbose { show(piece, of: host) }
        case .taskFinished(let record): finished(record)
        // The step that found out has said why.
        case .hostUnreachable: break
        case .told(let diagnostic): print([diagnostic])
        case .provingStarted: print(lines: ["", options.style.text("once more, to prove it", .strong)])
        case .runFinished(let report): runFinished(report)
        case .playStarted(let name, _):
            if let name, state.withLock({ $0.showsPlayNames }) {
                print(lines: ["", options.style.text(name, .strong)])
            }
        case .hostConnected(let host, let address, let duration):
            if options.isVerbose {
                print(lines: ["  connected to \(host) (\(address)) in \(TextLayout.duration(duration))"])
            }
        case .itemFinished: break
        }
    }

    package func finish() {
        ticker.withLock { task in
            task?.cancel()
            task = nil
        }
        state.withLock { state in
            erase(&state)
            state.underWay = [:]
        }
    }

    private func start(_ start: RunStart) {
        state.withLock { state in
            state.hostColumn =
                start.hosts.count > 1 ? min(start.hosts.map { TextLayout.width($0) }.max() ?? 0, 20) : 0
            state.showsPlayNames = start.title.hasSuffix(".yml") || start.title.hasSuffix(".yaml")
        }
        guard !start.hosts.isEmpty else { return }
        let hosts = start.hosts.count > 6 ? "\(start.hosts.count) hosts" : start.hosts.joined(separator: ", ")
        let mode = start.isCheck ? options.style.text("  plan only, nothing is changed", .faint) : ""
        print(lines: [options.style.text(start.title, .strong) + " on " + hosts + mode, ""])
        guard options.isLive else { return }
        ticker.withLock { task in
            // Draws the live line anew, so that the seconds go on while nothing is told.
            task = Task { [weak self] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(250))
                    guard let self, !Task.isCancelled else { return }
                    self.state.withLock { self.redraw(&$0) }
                }
            }
        }
    }

    private func finished(_ record: TaskRecord) {
        state.withLock { state in
            let key = "\(record.task.number)@\(record.host)"
            state.underWay[key] = nil
            state.order.removeAll { $0 == key }
            erase(&state)
            let text = StepText(
                style: options.style, width: options.width, hostColumn: state.hostColumn,
                showsDiff: options.showsDiff || record.step.failureClass != nil && !record.step.changes.isEmpty,
                isVerbose: options.isVerbose)
            // A handler or a role's task that has nothing to do on this host would only be noise.
            if record.outcome != .skipped || options.isVerbose || !record.task.isHandler {
                emit(text.lines(record))
            }
            redraw(&state)
        }
    }

    private func runFinished(_ report: Report) {
        finish()
        emit(RecapText(style: options.style, width: options.width).lines(report))
    }

    private func show(_ piece: OutputPiece, of host: String) {
        let bytes =
            switch piece {
            case .standardOutput(let bytes), .standardError(let bytes): bytes
            }
        let text = TextLayout.harmless(String(decoding: bytes, as: UTF8.self))
        print(
            lines: text.split(separator: "\n", omittingEmptySubsequences: true).map {
                options.style.text("    \(host) | ", .faint) + $0
            })
    }

    private func print(_ diagnostics: [Diagnostic]) {
        let text = DiagnosticRenderer(style: options.style, width: options.width).render(diagnostics)
        print(lines: text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init))
    }

    private func print(lines: [String]) {
        state.withLock { state in
            erase(&state)
            emit(lines)
            redraw(&state)
        }
    }

    private func emit(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        sink.write(lines.joined(separator: "\n") + "\n")
    }

    // The live line: what is under way, on the terminal's last line.

    private func redraw(_ state: inout State) {
        guard options.isLive else { return }
        guard let key = state.order.first, let first = state.underWay[key] else { return erase(&state) }
        let others = state.underWay.count > 1 ? " and \(state.underWay.count - 1) more" : ""
        let elapsed = ContinuousClock.now - first.since
        let seconds = elapsed < .seconds(1) ? "" : "  \(TextLayout.duration(elapsed))"
        let text = first.text.map { ": \($0)" } ?? ""
        let line = "  … \(TextLayout.harmless(first.name))\(others)\(TextLayout.harmless(text))\(seconds)"
        // Carriage return, erase to the end of the line (ECMA-48 EL); never the last column, which may wrap.
        sink.write("\r\u{1B}[K" + options.style.text(TextLayout.cut(line, to: options.width - 1), .faint))
        state.hasLiveLine = true
    }

    private func erase(_ state: inout State) {
        guard state.hasLiveLine else { return }
        sink.write("\r\u{1B}[K")
        state.hasLiveLine = false
    }
}
