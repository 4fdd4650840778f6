import Dispatch
import LabCore
import LabTransport
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Stands between client and server and counts round trips: how often the client speaks after it has heard something.
final class FlightCounter: Sendable {
    let port: Int
    private let listener: Int32
    private let count = Atomic(0)

    var flights: Int { count.load(ordering: .sequentiallyConsistent) }

    /// - Parameters:
    ///   - later: where connections after the first one go, if not to the target as well.
    ///   - silentAfter: from this flight on the server is not heard any more.
    init(to target: Int, later: Int? = nil, silentAfter: Int = .max) throws {
        (listener, port) = try listenOnLoopback()
        let listener = listener
        DispatchQueue(label: "flights").async {
            var target = target
            while case let client = accept(listener, nil, nil), client >= 0 {
                defer { target = later ?? target }
                let server = makeSocket()
                guard withAddress(target, "127.0.0.1", { connect(server, $0, $1) }) == 0 else { return }
                self.carry(client, server, silentAfter)
                close(client)
                close(server)
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func carry(_ client: Int32, _ server: Int32, _ silentAfter: Int) {
        var hasHeard = true
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            var polled = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, 2, -1) > 0 else { return }
            // What the client says in answer to one flight may come in pieces: gather them as a slow line would.
            usleep(15_000)
            for (source, target) in [(client, server), (server, client)] {
                let entry = polled[source == client ? 0 : 1]
                guard entry.revents != 0 else { continue }
                let length = recv(source, &buffer, buffer.count, 0)
                guard length > 0 else { return }
                if source == server {
                    hasHeard = true
                } else if hasHeard {
                    hasHeard = false
                    count.add(1, ordering: .sequentiallyConsistent)
                }
                if source == server, flights >= silentAfter { continue }
                var sent = 0
                while sent < length {
                    let written = buffer[sent..<length].withUnsafeBytes { write(target, $0.baseAddress, $0.count) }
                    guard written > 0 else { return }
                    sent += written
                }
            }
        }
    }
}

extension OpenSSHTests {
    @Suite struct Flights {
        @Test func everythingTakesFewRoundTrips() async throws {
            try await SSHServer.with { server in
                let counter = try FlightCounter(to: server.port)
                defer { counter.stop() }
                let connection = try await server.connect(server.endpoint(through: counter.port))
                // Banner, key exchange, new keys, service, one signature.
                let afterLogin = counter.flights
                #expect(afterLogin <= 6)
                // The first command: the channel, the shell, the script. The channel's number comes with the server's answer
                // (RFC 4254, section 5.1), so its requests cannot go before; and OpenSSH's server gives a channel no window before
                // its program runs, so the script cannot go together with the request.
                _ = try await connection.run(Command(.arguments(["true"])))
                let afterFirst = counter.flights
                #expect(afterFirst - afterLogin <= 3)
                _ = try await connection.run(Command(.arguments(["true"])))
                let afterSecond = counter.flights
                #expect(afterSecond - afterFirst == 1)
                try await connection.writeFile(
                    [UInt8](repeating: 7, count: 5000), to: server.folder + "/file",
                    attributes: FileAttributes(mode: 0o600),
                    become: nil)
                #expect(counter.flights - afterSecond == 1)
                let afterFile = counter.flights
                _ = try await connection.readFile(server.folder + "/file", become: nil)
                #expect(counter.flights - afterFile == 1)
                // A connection that the node makes for us, and what is said on it.
                let echo = try EchoServer()
                defer { echo.stop() }
                let beforeForward = counter.flights
                let stream = try await connection.openForward(host: "127.0.0.1", port: echo.port)
                #expect(counter.flights - beforeForward == 1)
                try await stream.write([1, 2, 3])
                #expect(try await stream.read() == [1, 2, 3])
                #expect(counter.flights - beforeForward == 2)
                await stream.close()
                await connection.close()
            }
        }
    }
}
