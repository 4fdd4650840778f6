import ArgumentParser
import LabCore
import LabModel
import LabTransport

/// `labctl cp SRC… DST`
struct CopyFiles: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp",
        abstract: "Copy files to and from hosts.",
        usage: "labctl cp [<options>] <src> ... <dst>",
        discussion: """
            A path is here, or on hosts as HOST:PATH. HOST is a host or a pattern of the inventory, with commas between \
            several (workers,!w2:/etc/motd), and user@ in front of it if need be. A path on a host is relative to the home \
            of whoever logs in; ~/ is the home of whoever the files are read or written as. PATH may be a pattern of the \
            shell's, in quotation marks: 'cp1:/var/log/*.log'. A file here with a colon in its name is written ./a:b.

            DST is a folder that is there, or a new name for one source. A pattern as DST copies to each of its hosts. A \
            pattern as SRC copies from each of its hosts, into a folder of the host's name in DST. From a host to another \
            the bytes go through this machine.

            A file arrives whole or not at all: it goes to a temporary file in the same folder, which is synced and \
            renamed. Ctrl-C or a lost connection leave the old file as it was, and nothing beside it. A new file gets the \
            mode of its source less the umask; a file that is there keeps its mode and owner, unless -p is given. Files of \
            any size are streamed.

            With -r, symbolic links below the source are copied as links; a source that is itself a link is followed. \
            Sockets, pipes and devices are left out, and told. -b reads and writes on the hosts as root.

            EXIT STATUS
            0 everything was copied, 2 something was not, 4 a host could not be reached, 130 interrupted.

            EXAMPLES
              labctl cp kubelet.conf workers:/tmp/
              labctl cp -b -p hosts all:/etc/hosts
              labctl cp cp1:.kube/config ./config
              labctl cp -r 'all:/var/log/pods' logs/
              labctl cp -r -b site root@w1:/srv/
            """)

    @Argument(help: ArgumentHelp("What to copy, and last where to.", valueName: "path"))
    var paths: [String]

    @Flag(name: [.short, .long], help: "Copy folders, with what is in them.")
    var recursive = false

    @Flag(name: [.short, .customLong("preserve")], help: "Keep modes and times.")
    var preserve = false

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Hosts") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions

    @Option(name: [.short, .long], help: ArgumentHelp("How many hosts are under way at once.", valueName: "n"))
    var forks: Int = 20

    private var locations: [CopyLocation] { paths.map { CopyLocation($0) } }

    func validate() throws {
        if paths.count < 2 { throw ValidationError("what is copied where to? labctl cp SRC… DST") }
        if output.output == .junit { throw ValidationError("cp has no junit output: choose text or json") }
        if forks < 1 { throw ValidationError("--forks is a number above 0") }
        let isAllHere = locations.allSatisfy { if case .here = $0 { true } else { false } }
        if isAllHere { throw ValidationError("all of these are here: a path on a host is written HOST:PATH") }
    }

    func run() async throws {
        let tell: (String) -> Void = { [output] text in
            (output.output == .text ? StandardStream.output : StandardStream.error).line(text)
        }
        let use = sandbox.sandbox ? try await SandboxUse.start(tell: tell) : nil
        let project = try await Project.load(hosts, variables, sandbox: use)
        let run = CopyRun(
            legs: try legs(project), isRecursive: recursive, keeps: preserve, output: output)
        let forks = forks
        let status = try await withInterruption(
            onInterruption: { StandardStream.error.line("\ninterrupted: closing; again to stop at once") },
            onAbandon: { CopyScraps.removeAll() }
        ) { await run.run(forks: forks) }
        if status != 0 { throw ExitCode(status) }
    }

    /// Which files go between which ends: one leg for each pair of ends.
    private func legs(_ project: Project) throws -> [CopyRun.Leg] {
        var sources = locations
        let destination = sources.removeLast()
        var known: [String: [Reach.Target]] = [:]
        func reach(_ user: String?, _ pattern: String) throws -> [Reach.Target] {
            let key = (user ?? "") + "@" + pattern
            if let found = known[key] { return found }
            let matching = try project.inventory.hosts(matching: [pattern], limit: hosts.limit)
            guard !matching.isEmpty else { throw UsageError("'\(pattern)' matches no host") }
            let reach = try Reach(
                project: project, hosts: matching, connection: connection, user: user)
            if let error = reach.broken.first?.error { throw error }
            for target in reach.targets {
                if case .local = target.access {
                    throw UsageError(
                        "\(target.host) is this machine itself (ansible_connection: local)",
                        hint: "write its paths without a host")
                }
            }
            known[key] = reach.targets
            return reach.targets
        }
        var targets: [Reach.Target?] = [nil]
        if case .there(let user, let pattern, _) = destination { targets = try reach(user, pattern) }
        // The sources of an end in a row, so that they know of each other.
        var groups: [(end: Reach.Target?, paths: [String], ownFolder: Bool)] = []
        for source in sources {
            var ends: [(Reach.Target?, Bool)] = [(nil, false)]
            if case .there(let user, let pattern, _) = source {
                // A group with one host in it behaves as one with two.
                let isPattern = project.inventory.host(pattern) == nil
                ends = try reach(user, pattern).map { ($0, isPattern) }
            }
            for (end, ownFolder) in ends {
                if let index = groups.firstIndex(where: { $0.end?.host == end?.host && $0.ownFolder == ownFolder }) {
                    groups[index].paths.append(source.path)
                } else {
                    groups.append((end, [source.path], ownFolder))
                }
            }
        }
        let isSeveral = sources.count > 1
        return targets.flatMap { target in
            groups.map { group in
                CopyRun.Leg(
                    from: group.end, to: target, sources: group.paths, target: destination.path,
                    needsFolder: isSeveral && !group.ownFolder, ownFolder: group.ownFolder)
            }
        }
    }
}
