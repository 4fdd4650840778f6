import LabCore
import LabEngine
import LabTransport
import Testing

/// A connection that is lost in the middle of a task: what may be done again goes on, and says so.
@Suite(.timeLimit(.minutes(1))) struct ReconnectionTests {
    private static let note = "connection lost, reconnected"

    /// The copy's look at the file, its writing, and its second look.
    @Test(arguments: [("stat", 0), ("write", 0), ("stat", 1)], [Breaker.Moment.before, .after])
    func aFileIsWrittenAllTheSame(place: (String, Int), moment: Breaker.Moment) async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([(place.0, place.1, moment)]))
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: Write, copy: {content: hello, dest: DIR/text}}
                - {name: Read, command: cat DIR/text, changed_when: false}
            """, transport: transport)
        #expect(
            report.lines == ["one changed proved Write", "one ok proved(changed_when) Read"], "\(report.messages)")
        let step = try #require(report.records.first?.step)
        #expect(step.notes == [Self.note])
        #expect(step.changes.map(\.subject) == ["\(lab.folder)/text"])
        #expect(report.records.last?.step.notes == [])
        #expect(lab.read("text") == "hello")
        #expect(transport.connections == 2)
        #expect(report.exitCode == 0)
    }

    @Test func nobodyKnowsWhatBecameOfACommand() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("echo x", 0, .after)]))
        let report = try await lab.run(
            """
            - hosts: one,two
              tasks:
                - {name: Once, shell: "echo x >>DIR/count", when: inventory_hostname == 'one'}
                - {name: Next, command: "true"}
            """, transport: transport)
        #expect(report.lines(of: "one") == ["unreachable - Once"])
        #expect(report.lines(of: "two") == ["skipped - Once", "changed unproved Next"])
        let failure = try #require(report.records.first { $0.host == "one" }?.step.failure.first)
        #expect(failure.message == "one: the connection was lost")
        #expect(
            failure.notes.map(\.message) == [
                "the server closed the connection", "the command may or may not have finished",
            ])
        #expect(lab.read("count") == "x\n")
        #expect(report.exitCode == 4)
    }

    @Test(arguments: [Breaker.Moment.before, .after])
    func aGuardedCommandLooksAgain(moment: Breaker.Moment) async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("echo x", 0, moment)]))
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: Once, shell: "echo x >>DIR/count", args: {creates: DIR/count}}
            """, transport: transport)
        #expect(report.lines == ["one changed proved Once"], "\(report.messages)")
        #expect(report.records.first?.step.notes.contains(Self.note) == true)
        #expect(lab.read("count") == "x\n")
    }

    @Test func aHostThatDoesNotComeBackIsUnreachable() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("stat", 0, .before)])) { $0 == 1 ? nil : .refused }
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: Write, copy: {content: hello, dest: DIR/text}}
            """, transport: transport
        ) { $0.reconnectLimit = .milliseconds(600) }
        #expect(report.lines == ["one unreachable - Write"])
        let notes = report.records.first?.step.failure.first?.notes.map(\.message) ?? []
        #expect(notes.first == "the server closed the connection")
        #expect(notes.last?.hasPrefix("connecting again failed (2 tries in") == true, "\(notes)")
        #expect(report.exitCode == 4)
    }

    @Test func aLoginThatIsDeniedIsNotTriedAgain() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("stat", 0, .before)])) { $0 == 1 ? nil : .authenticationDenied }
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: Write, copy: {content: hello, dest: DIR/text}}
            """, transport: transport)
        #expect(report.lines == ["one unreachable - Write"])
        #expect(transport.connections == 2)
    }

    @Test func aStepThatEndsItsConnectionEveryTimeIsGivenUp() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker(Array(repeating: ("write", 0, .before), count: 9)))
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: Write, copy: {content: hello, dest: DIR/text}}
            """, transport: transport)
        #expect(report.lines == ["one unreachable - Write"])
        #expect(
            report.records.first?.step.failure.first?.notes.last?.message == "it was lost 4 times during this step")
        #expect(transport.connections == 4)
    }

    @Test func aHostThatIsExcusedGetsANewConnection() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("first", 0, .before)]))
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: First, command: "echo first", ignore_unreachable: true}
                - {name: Second, command: "echo second"}
            """, transport: transport)
        #expect(report.lines == ["one unreachable ignored - First", "one changed unproved Second"])
        #expect(transport.connections == 2)
    }
}
