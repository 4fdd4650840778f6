import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The OpenSSH programs of this machine, and how a sandbox's node is made of them.
struct OpenSSH: Sendable {
    let server: String
    let keygen: String

    /// - Throws: which package to install, when one is missing.
    static func find(
        searchPath: [String] = OpenSSH.searchPath
    ) throws(SandboxError) -> OpenSSH {
        func program(_ name: String) -> String? {
            searchPath.map { "\($0)/\(name)" }.first { Files.isExecutable($0) }
        }
        guard let server = program("sshd") else {
            throw SandboxError(
                "the sandbox needs OpenSSH's server (sshd), which is not installed", hint: installHint("openssh-server")
            )
        }
        guard let keygen = program("ssh-keygen") else {
            throw SandboxError(
                "the sandbox needs ssh-keygen, which is not installed", hint: installHint("openssh-client"))
        }
        return OpenSSH(server: server, keygen: keygen)
    }

    private static func installHint(_ package: String) -> String {
        #if os(macOS)
            "macOS has it in /usr/sbin and /usr/bin; with Homebrew: brew install openssh"
        #else
            "install it: apt-get install \(package)"
        #endif
    }

    static var searchPath: [String] {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return ["/usr/sbin", "/usr/bin"] + path.split(separator: ":").map { String($0) }
            + ["/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"]
    }

    func makeKey(_ path: String, comment: String, log: String) throws(SandboxError) {
        try ProcessSpawn.run(keygen, ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], log: log)
    }

    /// Starts one node and waits until it greets.
    ///
    /// - Parameter note: called with every process right after its start, before anything is waited for.
    func startNode(
        _ plan: ClusterOptions.Node, _ directory: SandboxDirectory, kubeconfig: String,
        deadline: ContinuousClock.Instant, note: (ProcessIdentity, Int) throws(SandboxError) -> Void
    ) async throws -> (SandboxNode, ProcessIdentity) {
        let name = plan.name
        let home = directory.home(name)
        try Files.makeDirectory(home + "/.kube")
        try Files.write(kubeconfig, to: home + "/.kube/config")
        try makeKey(directory.hostKey(name), comment: name, log: directory.nodeLog(name))
        if geteuid() == 0 { try Files.makeDirectory("/run/sshd", mode: 0o755) }
        // A port that was free may be taken a moment later.
        var lastLog: [String] = []
        for _ in 0..<5 {
            let port = try Loopback.freePort()
            try Files.write(configuration(plan, directory, port: port), to: directory.configuration(name))
            let process = try ProcessSpawn.detached(
                server, ["-D", "-e", "-f", directory.configuration(name)], log: directory.nodeLog(name))
            try note(process, port)
            while process.isAlive, ContinuousClock.now < deadline {
                if Loopback.greeting(port)?.hasPrefix("SSH-2.0") == true, process.isAlive {
                    let node = SandboxNode(
                        name: name, port: port, user: Self.userName, home: home, clusterAddress: plan.address,
                        group: plan.isControlPlane ? "control_plane" : "workers")
                    return (node, process)
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            lastLog = Files.tail(directory.nodeLog(name))
            let portIsTaken = lastLog.contains { $0.contains("already in use") }
            await process.terminate()
            if !portIsTaken { break }
        }
        throw SandboxError("sshd of the sandbox's node \(name) did not start", notes: lastLog)
    }

    private func configuration(_ plan: ClusterOptions.Node, _ directory: SandboxDirectory, port: Int) -> String {
        let home = directory.home(plan.name)
        var lines = [
            "# Made by labctl for its sandbox; goes with `labctl sandbox down`.",
            "Port \(port)",
            "ListenAddress 127.0.0.1",
            "HostKey \"\(directory.hostKey(plan.name))\"",
            "PidFile \"\(directory.pidFile(plan.name))\"",
            // Percent signs in this path would be tokens.
            "AuthorizedKeysFile \"\(directory.clientKey.replacing("%", with: "%%")).pub\"",
            "StrictModes no",
            "PubkeyAuthentication yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "AllowTcpForwarding yes",
            "PermitUserEnvironment no",
            "X11Forwarding no",
            "PrintMotd no",
            "PrintLastLog no",
            "UseDNS no",
            "MaxStartups 200",
            "MaxSessions 500",
            "Subsystem sftp internal-sftp",
            "SetEnv \"HOME=\(home)\" \"KUBECONFIG=\(home)/.kube/config\" LABCTL_SANDBOX_NODE=\(plan.name)",
        ]
        #if os(Linux)
            lines.append("UsePAM \(Self.rootIsLocked ? "yes" : "no")")
        #endif
        return lines.joined(separator: "\n") + "\n"
    }

    /// Without PAM, sshd lets nobody in whose password is locked with `!` (auth.c, LOCKED_PASSWD_PREFIX); it can see
    /// that only as root.
    private static var rootIsLocked: Bool {
        guard geteuid() == 0, let shadow = Files.read("/etc/shadow") else { return false }
        return shadow.split(separator: "\n").contains { $0.hasPrefix("root:!") }
    }

    static var userName: String {
        guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "root" }
        return String(cString: name)
    }
}
