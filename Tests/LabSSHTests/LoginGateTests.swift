import LabTransport
import Synchronization
import Testing

@testable import LabSSH

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How many are under way together at most.
private final class Peak: Sendable {
    private struct Counts {
        var now: [String: Int] = [:]
        var atOnePlace = 0
        var overAll = 0
    }

    private let counts = Mutex(Counts())

    func enter(_ place: String) {
        counts.withLock { counts in
            counts.now[place, default: 0] += 1
            counts.atOnePlace = max(counts.atOnePlace, counts.now[place] ?? 0)
            counts.overAll = max(counts.overAll, counts.now.values.reduce(0, +))
        }
    }
    func leave(_ place: String) { counts.withLock { $0.now[place, default: 0] -= 1 } }
    var atOnePlace: Int { counts.withLock { $0.atOnePlace } }
    var overAll: Int { counts.withLock { $0.overAll } }
}

@Suite(.timeLimit(.minutes(1))) struct LoginGateTests {
    @Test func admitsAFewAtOnePlaceAndMoreOverAll() async throws {
        let gate = LoginGate(limit: 20)
        let peak = Peak()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                let place = "host\(number % 4)"
                group.addTask {
                    try await gate.enter(place, countsForAll: true)
                    peak.enter(place)
                    for _ in 0..<5 { await Task.yield() }
                    peak.leave(place)
                    gate.leave(place, countsForAll: true, wentWell: true)
                }
            }
            try await group.waitForAll()
        }
        #expect(peak.atOnePlace <= LoginGate.placeLimit)
        #expect(peak.overAll <= 20)
    }

    @Test func shrinksWithDropsAndGrowsAgain() async throws {
        let gate = LoginGate(limit: 40)
        for _ in 0..<20 { gate.noteDrop() }
        #expect(gate.capacity == 8)
        for _ in 0..<2000 {
            try await gate.enter("a", countsForAll: true)
            gate.leave("a", countsForAll: true, wentWell: true)
        }
        #expect(gate.capacity == 40)
    }

    @Test func whoIsCancelledDoesNotWait() async throws {
        let gate = LoginGate()
        for _ in 0..<LoginGate.placeLimit { try await gate.enter("a", countsForAll: true) }
        let waiting = Task { try await gate.enter("a", countsForAll: true) }
        await Task.yield()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        // What waits for another login itself takes no room from it.
        try await gate.enter("behind a", countsForAll: false)
        for _ in 0..<LoginGate.placeLimit { gate.leave("a", countsForAll: true, wentWell: true) }
        try await gate.enter("a", countsForAll: true)
    }
}

extension OpenSSHTests {
    @Suite struct Crowds {
        /// sshd drops them with a line ("Exceeded MaxStartups") or with none, closed or reset.
        @Test("logins that a full server drops at random are tried again")
        func droppedLogins() async throws {
            try await SSHServer.with(options: ["MaxStartups 1:60:100"]) { server in
                let idle = makeSocket()
                defer { close(idle) }
                try #require(withAddress(server.port, "127.0.0.1", { connect(idle, $0, $1) }) == 0)
                for _ in 1...8 { await (try server.connect(server.endpoint(timeout: .seconds(30)))).close() }
                #expect(server.acceptedLogins == 8)
                #expect(server.log.contains("drop connection"))
            }
        }

        /// Sixty hosts that are one server with sshd's own MaxStartups.
        @Test(arguments: [true, false])
        func defaultMaxStartupsIsEnough(hasAddressesOfItsOwn: Bool) async throws {
            try await SSHServer.with(options: ["MaxStartups 10:30:100"], address: "0.0.0.0") { server in
                let known = String(decoding: try readFile(server.knownHosts), as: UTF8.self)
                try writeFile(known.replacing("[0.0.0.0]:\(server.port)", with: "alias"), to: server.knownHosts)
                let transport = SSHTransport(configuration: server.settings())
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 1...60 {
                        group.addTask {
                            var endpoint = server.endpoint(
                                name: "n\(number)", timeout: .seconds(30),
                                options: [Endpoint.Option("HostKeyAlias", "alias")])
                            endpoint.address = hasAddressesOfItsOwn ? "127.0.1.\(number)" : "127.0.0.1"
                            let connection = try await transport.connect(to: endpoint)
                            let status = try await connection.run(Command(.shell("exit \(number)"))).exitStatus
                            await connection.close()
                            return status
                        }
                    }
                    let statuses = try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                    #expect(statuses == Set(1...60))
                }
                #expect(server.acceptedLogins == 60)
            }
        }
    }
}
