import ArgumentParser
import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The `labctl` command: its subcommands, and what it does with their errors.
///
/// Each subcommand says its name: the parser would else make it of the type's, by a search through all conformances of
/// the program that costs every start some milliseconds.
package struct Labctl: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "labctl",
        abstract: "Provision a Kubernetes lab: Ansible's roles, without Ansible.",
        discussion: """
            labctl reads roles in Ansible's layout, connects to the nodes over SSH and brings them to the state that the \
            roles describe. Every step is planned, applied and planned again: an empty second plan proves it idempotent. \
            Nothing is installed on the nodes.

            \(ManualText.exitStatus)

            \(ManualText.environment)

            To try it with no machines at all: labctl provision metallb --sandbox
            """,
        version: labctlVersion,
        groupedSubcommands: [
            CommandGroup(
                name: "Provision",
                subcommands: [Provision.self, PlanRoles.self, Verify.self, PlayPlaybooks.self, Remove.self]),
            CommandGroup(
                name: "Look",
                subcommands: [
                    ListInventory.self, ListTasks.self, Explain.self, ListModules.self, Lint.self, ShowYAML.self,
                ]),
            CommandGroup(
                name: "Reach", subcommands: [SSHLogin.self, Exec.self, CopyFiles.self, ForwardPorts.self, Doctor.self]),
            CommandGroup(name: "Try", subcommands: [SandboxCommand.self]),
        ])

    package init() {}

    /// A misspelt command is told with the nearest one; the parser only calls it unexpected.
    ///
    /// - Throws: `UsageError`.
    private static func checkCommand(_ arguments: [String]) throws(UsageError) {
        let names = configuration.subcommands.map { $0._commandName }
        guard let first = arguments.first, !first.hasPrefix("-"), first != "help", !names.contains(first) else {
            return
        }
        let near = nearestName(to: first, among: names).map { "did you mean '\($0)'? " } ?? ""
        throw UsageError("there is no command '\(first)'", hint: "\(near)see 'labctl --help' for more information")
    }

    /// Runs the command line and ends the process with the exit status that design.md lays down.
    package static func start(arguments: [String]) async -> Never {
        // A reader that goes away (`labctl … | head`) is no error of ours.
        signal(SIGPIPE, SIG_IGN)
        // Scripts and editors ask for nothing else: the parser would look at every command first.
        if arguments == ["--version"] {
            StandardStream.output.line(labctlVersion)
            end(0)
        }
        CoreDumps.disable(environment: Surroundings.environment)
        do {
            try checkCommand(arguments)
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            end(0)
        } catch let error as any DiagnosticError {
            Failure.show(error)
            end(error.failureClass.rawValue)
        } catch is CancellationError {
            end(FailureClass.interrupted.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// The C library's `exit`, which `ParsableArguments.exit(withError:)` hides within a command.
private func end(_ status: Int32) -> Never { exit(status) }
