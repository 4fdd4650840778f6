import LabCore
import LabTransport
import Testing

@testable import LabSSH

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension OpenSSHTests {
    @Suite struct Forwards {
        @Test func echoesAndClosesByHalves() async throws {
            let echo = try EchoServer()
            defer { echo.stop() }
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let stream = try await connection.openForward(host: "127.0.0.1", port: echo.port)
                    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 17 ^ $0 >> 7) }
                    async let received = readAll(stream)
                    try await stream.write(bytes)
                    // The echo server ends its side when it sees our end: the rest must still arrive.
                    try await stream.closeWriting()
                    #expect(try await received == bytes)
                    await stream.close()
                }
            }
        }

        @Test func stopsThePeerWhileNobodyReads() async throws {
            let flood = try EchoServer(floodBytes: 64 << 20)
            defer { flood.stop() }
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let stream = try await connection.openForward(host: "127.0.0.1", port: flood.port)
                    // Other work on the session goes on while the stream is full.
                    let result = try await connection.run(Command(.arguments(["echo", "on"])))
                    #expect(result.outputText == "on\n")
                    #expect(flood.sent < 64 << 20)
                    let received = try await readAll(stream)
                    #expect(received.count == 64 << 20)
                    await stream.close()
                }
            }
        }

        @Test(arguments: [
            ("Channel opening failure: channel 44 error (2) ", "nothing listens there, or it is filtered"),
            ("Channel opening failure: channel 44 error (2) No route to host", "no route to host"),
            (
                "Channel opening failure: channel 43 error (1) open failed",
                "the node's SSH server forbids forwarding: administratively prohibited"
            ),
            ("Channel opening failure: channel 43 error (4) ", "the node has no resources left for another connection"),
            ("something else", "the node's SSH server opens no connection"),
        ])
        func saysWhyWithoutNumbers(text: String, reason: String) {
            #expect(ForwardRefusal(libraryText: text).reason == reason)
        }

        @Test func saysWhenNobodyListens() async throws {
            let port = try freePort()
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let error = await #expect(throws: ConnectionError.self) {
                        try await connection.openForward(host: "127.0.0.1", port: port)
                    }
                    #expect(error?.kind == .forwardRefused)
                    #expect(error?.message == "the node cannot connect to 127.0.0.1:\(port)")
                    #expect(error?.notes == ["nothing listens there, or it is filtered"])
                    let after = try await connection.run(Command(.arguments(["true"])))
                    #expect(after.exitStatus == 0)
                }
            }
        }

        @Test func cancellationEndsAReadAndKeepsTheConnection() async throws {
            let echo = try EchoServer()
            defer { echo.stop() }
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let stream = try await connection.openForward(host: "127.0.0.1", port: echo.port)
                    let task = Task { try await stream.read() }
                    await Task.yield()
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                    await stream.close()
                    let after = try await connection.run(Command(.arguments(["true"])))
                    #expect(after.exitStatus == 0)
                }
            }
        }
    }

    @Suite struct Files {
        @Test func writesWithModeAndReadsBack() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
                    let path = server.folder + "/a file's name"
                    try await connection.writeFile(
                        bytes, to: path, attributes: FileAttributes(mode: 0o640), become: nil)
                    #expect(try await connection.readFile(path, become: nil) == bytes)
                    #expect(mode(of: path) == 0o640)
                    try await connection.writeFile(
                        [1, 2], to: path, attributes: FileAttributes(), become: nil)
                    #expect(mode(of: path) == 0o640)
                    #expect(try readFile(path) == [1, 2])
                    try await connection.writeFile([], to: path, attributes: FileAttributes(), become: nil)
                    #expect(try readFile(path) == [])
                    // Nothing of the temporary files is left.
                    let listing = try await connection.run(Command(.arguments(["ls", "-A", server.folder])))
                    #expect(!listing.outputText.contains("labctl."))
                }
            }
        }

        @Test func keepsASymbolicLink() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    try shell("cd \(server.folder) && echo old > target && ln -s target link")
                    try await connection.writeFile(
                        Array("new\n".utf8), to: server.folder + "/link", attributes: FileAttributes(), become: nil)
                    try shell("test -L \(server.folder)/link")
                    #expect(try readFile(server.folder + "/target") == Array("new\n".utf8))
                }
            }
        }

        @Test(arguments: ["/nowhere/file", "/"])
        func saysWhyAFileWasRefused(path: String) async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let write = await #expect(throws: ConnectionError.self) {
                        try await connection.writeFile([1], to: path, attributes: FileAttributes(), become: nil)
                    }
                    #expect(write?.kind == .fileRefused)
                    #expect(write?.notes.isEmpty == false)
                    let read = await #expect(throws: ConnectionError.self) {
                        try await connection.readFile(path, become: nil)
                    }
                    #expect(read?.kind == .fileRefused)
                }
            }
        }
    }
}

func mode(of path: String) -> mode_t {
    var status = stat()
    stat(path, &status)
    return status.st_mode & 0o7777
}

func readAll(_ stream: any ByteChannel) async throws -> [UInt8] {
    var all: [UInt8] = []
    while let bytes = try await stream.read() { all += bytes }
    return all
}
