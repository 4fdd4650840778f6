import LabCore
import LabSSH
import LabTransport
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A network namespace behind a virtual cable, with addresses that are for documentation (RFC 5737).
struct NetworkNamespace: Sendable {
    static let isPossible =
        getuid() == 0 && (try? shell("ip netns add labctl-probe 2>/dev/null && ip netns del labctl-probe")) != nil
    static let here = "198.51.100.1"
    static let there = "198.51.100.2"

    let name = "labctl-\(getpid())"

    static func with<T>(_ body: (NetworkNamespace) async throws -> T) async throws -> T {
        let namespace = NetworkNamespace()
        let name = namespace.name
        try shell(
            """
            ip netns add \(name) && ip link add labctl0 type veth peer name labctl1 netns \(name) \
            && ip addr add \(here)/30 dev labctl0 && ip link set labctl0 up \
            && ip -n \(name) addr add \(there)/30 dev labctl1 && ip -n \(name) link set labctl1 up \
            && ip -n \(name) link set lo up
            """)
        do {
            let result = try await body(namespace)
            try namespace.remove()
            return result
        } catch {
            try namespace.remove()
            throw error
        }
    }

    /// From here on what is sent goes to a station that does not exist, and vanishes without a word.
    func cut() throws {
        try shell("ip neigh replace \(Self.there) lladdr 02:00:00:00:00:99 nud permanent dev labctl0")
    }

    private static let hasNetem =
        isPossible
        && (try? shell("tc qdisc add dev lo root netem delay 0ms 2>/dev/null && tc qdisc del dev lo root")) != nil
    /// Whether there can be a bad network, with delay and loss: by the kernel, or by a program that carries the packets.
    static let canImpair =
        hasNetem || isPossible && access("/dev/net/tun", F_OK) == 0 && (try? shell("python3 -c ''")) != nil

    private static let slowCable =
        String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })
        + "/Scripts/slow-cable"
    /// The program that carries the packets, where the kernel has no netem; 0 for none.
    private let carrier = Carrier()
    private final class Carrier: Sendable { let process = Mutex<pid_t>(0) }

    /// Makes the cable bad: milliseconds for a round trip, and the percentage of packets that are lost each way.
    func impair(roundTrip: Int, loss: Int) throws {
        if Self.hasNetem {
            let how = "netem delay \(roundTrip / 2)ms loss \(loss)%"
            try shell(
                """
                tc qdisc replace dev labctl0 root \(how) \
                && ip netns exec \(name) tc qdisc replace dev labctl1 root \(how)
                """)
            return
        }
        try shell("ip link del labctl0")
        let pid = try spawn(
            [
                "python3", Self.slowCable, "-", "labctl0", name, "labctl1", "--round-trip", "\(roundTrip)", "--loss",
                "\(loss)",
            ], isQuiet: true)
        carrier.process.withLock { $0 = pid }
        try shell(
            """
            for _ in 1 2 3 4 5 6 7 8 9 10; do \
            ip link show labctl0 >/dev/null 2>&1 && ip -n \(name) link show labctl1 >/dev/null 2>&1 && break; sleep 0.2; \
            done
            ip addr add \(Self.here)/30 dev labctl0 && ip link set labctl0 up \
            && ip -n \(name) addr add \(Self.there)/30 dev labctl1 && ip -n \(name) link set labctl1 up
            """)
    }

    var launcher: [String] { ["ip", "netns", "exec", name] }

    private func remove() throws {
        let pid = carrier.process.withLock { $0 }
        if pid > 0 {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        try shell("ip link del labctl0 2>/dev/null; ip netns del \(name)")
    }
}

extension OpenSSHTests {
    @Suite(.enabled(if: NetworkNamespace.isPossible, "network namespaces need root and iproute2"))
    struct Networks {
        private func withServer<T>(_ body: (NetworkNamespace, SSHServer) async throws -> T) async throws -> T {
            try await NetworkNamespace.with { network in
                try await SSHServer.with(launcher: network.launcher, address: NetworkNamespace.there) { server in
                    try await body(network, server)
                }
            }
        }

        @Test func droppedPacketsEndAtTheDeadline() async throws {
            try await withServer { network, server in
                try network.cut()
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(timeout: .milliseconds(700)))
                }
                #expect(error?.kind == .timedOut)
                #expect(error?.notes == ["it was connecting to \(NetworkNamespace.there):\(server.port)"])
            }
        }

        @Test func addressWithoutAHostIsUnreachable() async throws {
            try await withServer { _, server in
                try shell("ip route add unreachable 198.51.100.8/29")
                defer { try? shell("ip route del unreachable 198.51.100.8/29") }
                var endpoint = server.endpoint()
                endpoint.address = "198.51.100.9"
                let error = await #expect(throws: ConnectionError.self) { try await server.connect(endpoint) }
                #expect(error?.kind == .unreachable)
                #expect(error?.message.hasPrefix("cannot reach 198.51.100.9:\(server.port): ") == true)
            }
        }

        @Test func cableIsPulledInMidCommand() async throws {
            try await withServer { network, server in
                let connection = try await server.connect(
                    settings: server.settings(
                        keepaliveInterval: .milliseconds(100), keepaliveTimeout: .milliseconds(500)))
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(.shell("echo on; sleep 30")) { _ in try? network.cut() })
                }
                #expect(error?.kind == .lost)
                await connection.close()
            }
        }

        @Test(
            .enabled(if: NetworkNamespace.canImpair, "no netem in this kernel, and no TUN device and python3 instead"),
            arguments: [(50, 10), (300, 0), (0, 30)])
        func lossAndLatencyAreSurvived(roundTrip: Int, loss: Int) async throws {
            try await withServer { network, server in
                try network.impair(roundTrip: roundTrip, loss: loss)
                // TCP itself may give up where nearly a third of all packets is lost; then that is told, and in time.
                let mayEnd: Set<ConnectionError.Kind> = loss == 30 ? [.timedOut, .lost, .commandTimedOut] : []
                do {
                    let connection = try await server.connect(server.endpoint(timeout: .seconds(40)))
                    let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                    let result = try await connection.run(
                        Command(.arguments(["cat"]), standardInput: bytes, timeout: .seconds(40)))
                    #expect(result.standardOutput == bytes)
                    await connection.close()
                } catch let error as ConnectionError {
                    #expect(mayEnd.contains(error.kind), "\(error)")
                }
            }
        }

        @Test func idleConnectionWhosePeerIsGoneIsFound() async throws {
            try await withServer { network, server in
                let connection = try await server.connect(
                    settings: server.settings(
                        keepaliveInterval: .milliseconds(100), keepaliveTimeout: .milliseconds(500)))
                #expect(await connection.isUp)
                try network.cut()
                for _ in 0..<500 where await connection.isUp { try await Task.sleep(for: .milliseconds(10)) }
                #expect(await !connection.isUp)
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(Command(.arguments(["true"])))
                }
                #expect(error?.kind == .lost)
                await connection.close()
            }
        }

        @Test func cancellationEndsAtOnceWhenThePeerIsGone() async throws {
            try await withServer { network, server in
                let connection = try await server.connect()
                let (started, signal) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    try await connection.run(Command(.shell("echo on; sleep 30")) { _ in signal.yield() })
                }
                for await _ in started { break }
                try network.cut()
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                await connection.close()
            }
        }
    }

    @Suite struct Passwords {
        /// A server whose shadow file, in a mount namespace of its own, has a password for the current user.
        private func withPassword(_ body: (SSHServer, Secret) async throws -> Void) async throws {
            let folder = try temporaryFolder()
            defer { try? shell("rm -rf \(folder)") }
            try shell(
                """
                hash=$(openssl passwd -6 'right one') && \
                sed "s|^\(currentUser):[^:]*:|\(currentUser):$hash:|" /etc/shadow > \(folder)/shadow
                """)
            try await SSHServer.with(
                options: ["PasswordAuthentication yes", "PermitRootLogin yes", "KbdInteractiveAuthentication no"],
                launcher: [
                    "unshare", "-m", "sh", "-c", "mount --bind \(folder)/shadow /etc/shadow && exec \"$@\"", "sh",
                ]
            ) { try await body($0, Secret("right one")) }
        }

        private static let isPossible =
            getuid() == 0 && access("/etc/shadow", R_OK) == 0 && (try? shell("unshare -m true 2>/dev/null")) != nil

        @Test(.enabled(if: isPossible, "a shadow file of its own needs root and mount namespaces"))
        func passwordsLogIn() async throws {
            try await withPassword { server, password in
                var endpoint = server.endpoint(identities: [])
                endpoint.password = password
                let connection = try await server.connect(endpoint)
                await connection.close()

                let settings = server.settings { question in
                    question == .password(user: currentUser, host: "node") ? password : nil
                }
                let asked = try await server.connect(server.endpoint(identities: []), settings: settings)
                await asked.close()

                endpoint.password = Secret("wrong one")
                let wrong = endpoint
                let error = await #expect(throws: ConnectionError.self) { try await server.connect(wrong) }
                #expect(error?.kind == .authenticationDenied)
                #expect(error?.notes.contains("password: not accepted") == true)
                #expect("\(String(describing: error))".contains("wrong one") == false)
            }
        }
    }
}
