import LabCore
import LabTransport

/// `command`, `shell` and `raw`: run a program on the node.
///
/// What a program changes cannot be known beforehand, so the plan is unpredictable, unless `creates` or `removes` name
/// a file whose presence says whether there is something to do, or a `CommandInsight` knows the command.
package struct CommandModule: Module {
    /// Which of the three modules it is.
    package enum Flavor: String, Sendable { case command, shell, raw }

    package let flavor: Flavor

    package init(_ flavor: Flavor) { self.flavor = flavor }

    package var specification: ModuleSpecification {
        typealias Parameter = ModuleSpecification.Parameter
        var parameters = [Parameter("executable")]
        if flavor != .raw {
            parameters += [
                Parameter("cmd"), Parameter("chdir", .path), Parameter("creates", .path),
                Parameter("removes", .path), Parameter("stdin"), Parameter("stdin_add_newline", .bool, default: true),
                Parameter("strip_empty_ends", .bool, default: true),
            ]
        }
        if flavor == .command {
            parameters += [Parameter("argv", .list), Parameter("expand_argument_vars", .bool, default: true)]
        }
        return ModuleSpecification("ansible.builtin.\(flavor.rawValue)", parameters: parameters, takesFreeForm: true)
    }

    /// A file says whether the command is still to be run; without one nobody knows.
    package func mayRepeat(_ call: ModuleCall) -> Bool {
        call["creates"]?.string != nil || call["removes"]?.string != nil
    }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let invocation = try Invocation(call, flavor: flavor, context: context)
        if invocation.creates != nil || invocation.removes != nil {
            return try await guardedPlan(invocation, in: context)
        }
        if var plan = try await context.insight?.plan(invocation.observed, in: context) {
            if case .nothing = plan.verdict {
                plan.values = invocation.values(exitStatus: 0).merging(plan.values) { _, new in new }
            }
            return plan
        }
        var values = invocation.values(exitStatus: 0)
        values["msg"] = "Command would have run if not in check mode"
        return Plan(
            .unpredictable(reason: "a command has no plan; give it creates, removes or changed_when"), values: values)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let invocation = try Invocation(call, flavor: flavor, context: context)
        let observation = try await context.insight?.observe(invocation.observed, in: context)
        var command = invocation.command
        command.onOutput = context.output
        let start = Timestamp.now()
        let result = try await context.connection().run(command)
        let end = Timestamp.now()
        var values = invocation.values(
            exitStatus: result.exitStatus, output: result.outputText, errors: result.errorText)
        values["start"] = .string(start.text)
        values["end"] = .string(end.text)
        values["delta"] = .string(end.elapsed(since: start))
        var outcome = ModuleResult(changed: invocation.isGuarded ? true : nil, values: values)
        if case .changes(let changes) = plan.verdict { outcome.changes = changes }
        if let observation {
            let effect = try await observation.conclude(result)
            outcome.changed = effect.changed
            outcome.changes = effect.changes
            outcome.notes = effect.notes
            outcome.warnings = effect.warnings
            outcome.proof = effect.proof
        }
        if result.exitStatus != 0 {
            outcome.values["msg"] = "non-zero return code"
            outcome.failure = invocation.failure(result)
        }
        return outcome
    }

    private func guardedPlan(_ invocation: Invocation, in context: ModuleContext) async throws -> Plan {
        let present = try await invocation.guardsPresent(in: context)
        let prefix = context.checkMode ? "Would" : "Did"
        var values = invocation.values(exitStatus: 0)
        if let creates = invocation.creates, present.creates {
            values["msg"] = .string("\(prefix) not run command since '\(creates)' exists")
            values["stdout"] = .string("skipped, since \(creates) exists")
            values["stdout_lines"] = [.string("skipped, since \(creates) exists")]
            return Plan(.nothing, values: values, notes: ["not run, since \(creates) exists"])
        }
        if let removes = invocation.removes, !present.removes {
            values["msg"] = .string("\(prefix) not run command since '\(removes)' does not exist")
            values["stdout"] = .string("skipped, since \(removes) does not exist")
            values["stdout_lines"] = [.string("skipped, since \(removes) does not exist")]
            return Plan(.nothing, values: values, notes: ["not run, since \(removes) does not exist"])
        }
        values["msg"] = "Command would have run if not in check mode"
        var fields: [Change.Field] = []
        if let creates = invocation.creates {
            fields.append(Change.Field(creates, before: "absent", after: "present"))
        }
        if let removes = invocation.removes {
            fields.append(Change.Field(removes, before: "present", after: "absent"))
        }
        return Plan(.changes([Change(.run, invocation.title, fields: fields)]), values: values)
    }
}

/// What a call of `command` or `shell` runs.
private struct Invocation {
    var command: Command
    var observed: ObservedCommand
    /// What Ansible returns as `cmd`: a list for `command`, a text for `shell`.
    var written: Value
    var creates: String?
    var removes: String?
    var stripsEnds: Bool
    var hostName: String

    var isGuarded: Bool { creates != nil || removes != nil }

    /// The command as one line for the report.
    var title: String {
        let text = written.list.map { $0.compactMap(\.string).joined(separator: " ") } ?? written.string ?? ""
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return line.count == text.count ? line : line + " …"
    }

    init(_ call: ModuleCall, flavor: CommandModule.Flavor, context: ModuleContext) throws(ModuleError) {
        let text = call.freeForm ?? call["cmd"]?.string
        let listed = call["argv"]?.list
        guard text != nil || listed != nil else {
            throw ModuleError("\(flavor.rawValue) needs a command to run", span: call.span, failureClass: .input)
        }
        guard text == nil || listed == nil, call.freeForm == nil || call["cmd"] == nil else {
            throw ModuleError(
                "the command is given twice", span: call.span, hint: "keep one of the free form, cmd and argv",
                failureClass: .input)
        }
        let directory = call["chdir"]?.string
        var input: [UInt8]?
        if let standardInput = call["stdin"]?.string {
            input = Array(standardInput.utf8) + (call["stdin_add_newline"]?.bool == false ? [] : [0x0A])
        }
        let program: Command.Program
        var words: [String]?
        if flavor == .command {
            let arguments: [String]
            if let listed { arguments = listed.map(argumentText) } else { arguments = try shellWords(text ?? "") }
            guard !arguments.isEmpty else {
                throw ModuleError("the command is empty", span: call.span, failureClass: .input)
            }
            words = arguments
            written = .list(arguments.map { .string($0) })
            let expands = call["expand_argument_vars"]?.bool ?? true
            program = (expands ? expandingShellText(arguments) : nil).map { .shell($0) } ?? .arguments(arguments)
        } else {
            let text = text ?? ""
            words = simpleCommand(text)
            written = .string(text)
            program = .shell(text, executable: call["executable"]?.string)
        }
        command = Command(
            program, environment: context.environment, workingDirectory: directory, standardInput: input,
            become: context.become)
        observed = ObservedCommand(
            arguments: words, shellText: flavor == .command ? nil : text, environment: context.environment,
            workingDirectory: directory, standardInput: input, become: context.become)
        creates = call["creates"]?.string
        removes = call["removes"]?.string
        stripsEnds = call["strip_empty_ends"]?.bool ?? true
        hostName = context.hostName
    }

    /// Ansible's return values (ansible/modules/command.py).
    func values(exitStatus: Int, output: String = "", errors: String = "") -> ValueMap {
        let output = stripsEnds ? output.strippingLineEnds() : output
        let errors = stripsEnds ? errors.strippingLineEnds() : errors
        return [
            "cmd": written, "rc": .int(exitStatus), "stdout": .string(output), "stdout_lines": output.lineValues,
            "stderr": .string(errors), "stderr_lines": errors.lineValues, "start": nil, "end": nil, "delta": nil,
            "msg": "",
        ]
    }

    /// The sentence for a person when the exit status is not 0.
    func failure(_ result: CommandResult) -> String {
        if let signal = result.signal { return "the command was ended by signal \(signal)" }
        if result.exitStatus == 127, let name = written.list?.first?.string {
            return "\(hostName) has no command '\(name)'"
        }
        return "the command ended with status \(result.exitStatus)"
    }

    /// Whether something matches `creates` and `removes` (patterns, as Ansible's), in one round trip.
    func guardsPresent(in context: ModuleContext) async throws -> (creates: Bool, removes: Bool) {
        let script = #"""
            IFS=
            for pattern in "$@"; do
                case $pattern in
                "~") pattern=$HOME ;;
                "~/"*) pattern=$HOME${pattern#"~"} ;;
                esac
                found=no
                for file in $pattern; do
                    if [ -e "$file" ] || [ -L "$file" ]; then found=yes; fi
                done
                echo $found
            done
            """#
        let probe = Command(
            .arguments(["/bin/sh", "-c", script, "sh", creates ?? "", removes ?? ""]),
            workingDirectory: command.workingDirectory, become: context.become)
        let result = try await context.connection().run(probe)
        let answers = result.outputText.split(separator: "\n")
        guard result.exitStatus == 0, answers.count == 2 else {
            throw ModuleError(
                "cannot look for the files that creates and removes name",
                notes: result.errorText.split(separator: "\n").map { Diagnostic.Note(String($0)) })
        }
        return (answers[0] == "yes", answers[1] == "yes")
    }
}

/// An element of `argv` as a word.
private func argumentText(_ value: Value) -> String {
    switch value {
    case .string(let text): text
    case .bool(let flag): flag ? "True" : "False"
    case .null: "None"
    default: value.json()
    }
}

/// The words of a shell text that is one simple command without expansions and redirections, else nil.
private func simpleCommand(_ text: String) -> [String]? {
    let special: Set<Character> = ["|", "&", ";", "<", ">", "(", ")", "$", "`", "*", "?", "[", "#", "~", "{", "}", "!"]
    let trimmed = text.trimmingWhitespace()
    guard !trimmed.contains(where: { special.contains($0) || $0.isNewline }) else { return nil }
    return try? shellWords(trimmed)
}

extension String {
    /// The text without carriage returns and line feeds at its end.
    fileprivate func strippingLineEnds() -> String {
        var view = self.unicodeScalars[...]
        while let last = view.last, last == "\n" || last == "\r" { view = view.dropLast() }
        return String(view)
    }

    /// The lines as Ansible has them in `stdout_lines` (Python's `splitlines`).
    fileprivate var lineValues: Value {
        guard !isEmpty else { return [] }
        var lines = split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return .list(lines.map { .string($0) })
    }
}
