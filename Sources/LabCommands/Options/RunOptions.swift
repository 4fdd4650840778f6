import ArgumentParser

/// What `--forks` does, for every command that has it.
let forksHelp = ArgumentHelp(
    """
    How many hosts are under way at once. The default fits this machine: 32 a core, from 50 to 256. Logins under way are \
    bounded apart from that, 8 at one address and fewer when sshd drops some (its MaxStartups).
    """, valueName: "n")

/// How a run is done.
struct RunOptions: ParsableArguments {
    @Flag(name: [.customShort("C"), .long], help: "Plan only: say what would change, and change nothing.")
    var check = false

    @Flag(name: [.customShort("D"), .long], help: "Show each change, field by field.")
    var diff = false

    @Flag(name: .long, help: "Run everything a second time, and fail (exit 3) if anything changes again.")
    var prove = false

    @Option(name: [.short, .long], help: forksHelp)
    var forks: Int?

    func validate() throws {
        if let forks, forks < 1 { throw ValidationError("--forks is a number above 0") }
        if check && prove { throw ValidationError("--check changes nothing, so there is nothing for --prove to prove") }
    }
}

/// What is looked at before anything is changed.
struct PreflightOptions: ParsableArguments {
    @Flag(name: .long, help: "Do not look for what would keep a role from working before anything is changed.")
    var skipPreflight = false
}

/// Where the run takes place.
struct SandboxOptions: ParsableArguments {
    @Flag(name: .long, help: "Run against the sandbox, a lab on loopback; it is started when it is not up.")
    var sandbox = false
}
