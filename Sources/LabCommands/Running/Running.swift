import ArgumentParser
import LabCore
import LabEngine
import LabModel
import LabModules
import LabReport
import LabSSH
import LabTransport

/// Runs plays and shows the run; the one way from a command to the engine.
struct Running {
    var output: OutputOptions
    var connection: ConnectionOptions
    var options: LabEngine.RunOptions
    /// Told before the run.
    var warnings: [Diagnostic] = []
    /// Whether each changed thing is named although no differences are wanted.
    var listsChanges = false

    init(output: OutputOptions, connection: ConnectionOptions) {
        self.output = output
        self.connection = connection
        self.options = LabEngine.RunOptions()
        options.environment = Surroundings.environment
        options.verbosity = output.verbose ? 1 : 0
    }

    /// Tells something beside the run: on standard error when standard output is for programs.
    func tell(_ text: String) {
        (output.output == .text ? StandardStream.output : StandardStream.error).line(text)
    }

    /// Runs the plays to their end.
    ///
    /// - Throws: `ExitCode` with the report's exit code, unless that is 0.
    func run(_ title: String, _ plays: [LabModel.Play], in project: Project) async throws {
        let reporter = makeReporter()
        let engine = Engine(
            registry: project.registry,
            transport: SSHTransport(
                configuration: SSHSettings(
                    prompt: { SecretPrompt.answer($0) }, environment: Surroundings.environment)),
            local: LocalTransport(), insight: KubectlInsight(environment: Surroundings.environment))
        var options = options
        options.extraVariables = [project.extraVariables] + options.extraVariables
        if connection.askPass { options.password = try SecretPrompt.demand("login password: ") }
        if connection.askBecomePass { options.becomePassword = try SecretPrompt.demand("sudo password: ") }
        options.directives = try connection.directives()
        options.adjustEndpoint = { [connection] in connection.adjust(&$0) }
        let plan = RunPlan(title: title, inventory: project.inventory, plays: plays, options: options)
        for warning in project.inventory.warnings + warnings { reporter.handle(.told(warning)) }
        let report = try await withInterruption(
            onInterruption: {
                let text = "interrupted: closing; again to stop at once"
                // The reporter knows what has to go from the terminal first.
                if output.output == .text {
                    reporter.handle(.told(Diagnostic(text, severity: .note)))
                } else {
                    tell(text)
                }
            }
        ) {
            await engine.run(plan) { reporter.handle($0) }
        }
        reporter.finish()
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }

    private func makeReporter() -> any Reporter {
        let stream = StandardStream.output
        switch output.output {
        case .json: return JSONReporter(sink: stream)
        case .junit: return JUnitReporter(sink: stream)
        case .text:
            let style = Surroundings.style(stream, noColor: output.noColor)
            return TextReporter(
                options: TextReporter.Options(
                    style: style, width: Surroundings.width(stream), isLive: style.isColoured,
                    showsDiff: options.isDiff || listsChanges, isVerbose: output.verbose),
                sink: stream)
        }
    }
}
