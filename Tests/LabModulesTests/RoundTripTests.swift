import LabCore
import LabModules
import LabTransport
import Synchronization
import Testing

/// Counts what goes to the node: each call is one round trip of the transport (LabSSHTests counts those on the wire).
private final class CountingConnection: Connection {
    let inner: any Connection
    private let count = Mutex(0)

    init(_ inner: any Connection) { self.inner = inner }

    var hostName: String { inner.hostName }
    /// The calls since the last time this was asked.
    func takeCount() -> Int {
        count.withLock { count in
            defer { count = 0 }
            return count
        }
    }
    private func add() { count.withLock { $0 += 1 } }

    func run(_ command: Command) async throws -> CommandResult {
        add()
        return try await inner.run(command)
    }
    func openForward(host: String, port: Int) async throws -> any ByteChannel {
        add()
        return try await inner.openForward(host: host, port: port)
    }
    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws {
        add()
        try await inner.writeFile(bytes, to: path, attributes: attributes, become: become)
    }
    func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        add()
        return try await inner.readFile(path, become: become)
    }
    func close() async { await inner.close() }
}

@Suite struct RoundTripTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var module: any Module
        var arguments: ValueMap
        /// For a host where all is to be done: plan, apply, and plan again.
        var first = 3
        var testDescription: String { "\(module.specification.shortName) \(Value.map(arguments).json())" }
    }

    private static let cases: [Case] = [
        Case(module: CopyModule(), arguments: ["content": "text", "dest": "DIR/copy", "mode": "0640"]),
        Case(module: CopyModule(), arguments: ["src": "tree/", "dest": "DIR/copied"], first: 5),
        Case(module: TemplateModule(), arguments: ["src": "template", "dest": "DIR/rendered"]),
        Case(module: FileModule(), arguments: ["path": "DIR/a/b", "state": "directory", "mode": "0750"]),
        Case(module: FileModule(), arguments: ["path": "DIR/gone", "state": "absent"]),
        Case(module: LineInFileModule(), arguments: ["path": "DIR/lines", "line": "three"]),
        Case(module: BlockInFileModule(), arguments: ["path": "DIR/lines", "block": "four"]),
        Case(module: ReplaceModule(), arguments: ["path": "DIR/lines", "regexp": "^one$", "replace": "1"]),
        Case(
            module: CommandModule(.shell), arguments: ["cmd": "touch DIR/made", "creates": "DIR/made"]),
    ]

    @Test(arguments: cases)
    func aTaskThatIsDoneTakesOne(test: Case) async throws {
        let node = try Node()
        node.write("lines", "one\ntwo\n")
        node.write("template", "text\n")
        node.sh("touch gone; mkdir tree; echo 1 >tree/one; echo 2 >tree/two")
        let connection = CountingConnection(node.connection)
        var context = node.context
        context.connection = { connection }
        context.wantsDiff = false
        #expect(try await node.call(test.module, test.arguments, context: context).summary == "changed")
        #expect(connection.takeCount() == test.first)
        #expect(try await node.call(test.module, test.arguments, context: context).summary == "ok")
        #expect(connection.takeCount() == 1)
    }

    @Test func aFileIsReadInOne() async throws {
        let node = try Node()
        node.sh(#"printf '\n.\nP odd\n\0binary\n.\n' >file"#)
        let connection = CountingConnection(node.connection)
        var context = node.context
        context.connection = { connection }
        let outcome = try await node.call(SlurpModule(), ["src": "DIR/file"], context: context)
        // Applied once, between two plans that ask nothing.
        #expect(connection.takeCount() == 1)
        #expect(outcome.values["content"] == "Ci4KUCBvZGQKAGJpbmFyeQouCg==")
    }
}
