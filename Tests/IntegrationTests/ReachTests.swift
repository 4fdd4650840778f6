import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `labctl ssh`, `exec`, `cp` and `forward` as a person uses them, on the sandbox's nodes.
@Suite("Reach", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct ReachTests {
    let sandbox: RunningSandbox
    let project: Project
    /// For files of the test: the nodes see it under the same path.
    let folder: URL

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
        folder = project.folder.appending(path: "scratch-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Runs a shell line in the test's folder, with labctl as `$L`.
    private func sh(_ line: String) throws -> Labctl.Outcome {
        try Tool.run(
            ["sh", "-c", line], in: folder,
            ["L": Labctl.binary.path, "HOME": project.folder.appending(path: "home").path, "P": project.folder.path])
    }

    // MARK: ssh

    @Test("a shell has a terminal of the same type and size, and its status is labctl's")
    func shell() throws {
        let program = try TerminalProgram.labctl("ssh", "cp1", "--sandbox", in: project, environment: ["TERM": "vt220"])
        let before = program.settings
        program.type("echo is $TERM; stty size\r")
        #expect(try program.shows("is vt220"))
        #expect(try program.shows("30 90"))
        #expect(program.settings != before)
        program.resize(columns: 120, rows: 41)
        program.type("echo again; stty size\r")
        // The size travels beside what is typed; asked until it is there.
        #expect(
            try Tool.wait {
                program.type("stty size\r")
                return program.screen.contains("41 120")
            })
        program.type("exit 7\r")
        #expect(program.wait() == 7)
        #expect(try program.shows("connection to cp1 closed"))
        #expect(program.settings == before)
    }

    @Test("Ctrl-C goes to the program on the node, ~. ends the connection, the terminal comes back")
    func escapes() throws {
        let program = try TerminalProgram.labctl("ssh", "cp1", "--sandbox", in: project)
        let before = program.settings
        program.type("echo up; sleep 100; echo after\r")
        #expect(try program.shows("up\r\n"))
        program.type("\u{3}")
        program.type("\recho next $((40+2))\r")
        #expect(try program.shows("next 42"))
        program.type("\r~?")
        #expect(try program.shows("Supported escape sequences"))
        program.type("~.")
        #expect(program.wait() == 255)
        #expect(program.settings == before)
    }

    @Test("a signal that ends labctl leaves the terminal as it was", arguments: [SIGTERM, SIGHUP, SIGQUIT])
    func signals(number: Int32) throws {
        let program = try TerminalProgram.labctl("ssh", "cp1", "--sandbox", in: project)
        let before = program.settings
        program.type("echo up $((40+2))\r")
        #expect(try program.shows("up 42"))
        #expect(program.settings != before)
        kill(program.process, number)
        #expect(program.wait() == 128 + number)
        #expect(program.settings == before)
    }

    @Test("a connection that is lost ends with 4, and the terminal comes back")
    func lost() throws {
        let program = try TerminalProgram.labctl("ssh", "w2", "--sandbox", in: project)
        let before = program.settings
        program.type("echo up $PPID up; echo $((40+2))\r")
        #expect(try program.shows("42"))
        let match = try #require(program.screen.firstMatch(of: /up ([0-9]+) up/))
        // The process of sshd that serves this very connection.
        kill(try #require(pid_t(match.output.1)), SIGKILL)
        #expect(program.wait() == 4)
        #expect(program.settings == before)
        #expect(try program.shows("the connection was lost"))
    }

    @Test("without a terminal the shell reads its commands from standard input")
    func script() throws {
        let outcome = try sh("cd $P && printf 'tty; echo $((40+2)); exit 5' | $L ssh cp1 --sandbox")
        outcome.expect(status: 5, "not a tty", "42")
    }

    @Test("commands: status, streams apart, binary, one text or several words")
    func commands() throws {
        let outcome = try sh("cd $P && $L ssh cp1 --sandbox -- 'echo o; echo e >&2; exit 3' 2>$OLDPWD/errors")
        #expect(outcome.status == 3)
        #expect(outcome.output == "o\n")
        #expect(try sh("cat errors").output.hasSuffix("\ne\n"))
        #expect(try sh("cd $P && $L ssh cp1 --sandbox -- echo '$HOME' 'a  b'").output == "$HOME a  b\n")
        try sh("head -c 1000000 /dev/urandom > r; cd $P && $L ssh cp1 --sandbox -- cat < $OLDPWD/r | cmp - $OLDPWD/r")
            .expect(
                status: 0)
        #expect(try sh("cd $P && $L ssh cp1 --sandbox -- 'kill -TERM $$'").status == 143)
        #expect(try sh("cd $P && $L ssh -tt cp1 --sandbox -- 'tty >/dev/null && echo yes'").output == "yes\r\n")
    }

    @Test("a command line that makes no sense")
    func mistakes() throws {
        try project.labctl("ssh", "all", "--sandbox").expect(
            status: 64, "'all' matches 3 hosts, and `labctl ssh` is for one: cp1, w1, w2")
        try project.labctl("ssh", "cp2", "--sandbox").expect(status: 65, "no host or group 'cp2' in the inventory")
        try project.labctl("ssh", "cp1", "-t", "-T", "--sandbox").expect(status: 64, "-t and -T contradict each other")
        try project.labctl("exec", "all", "-o", "junit", "--", "true").expect(status: 64, "exec has no junit output")
        try project.labctl("cp", "a", "b").expect(status: 64, "a path on a host is written HOST:PATH")
        try project.labctl("forward", "cp1", "80:x").expect(status: 64, "'80:x' is no forward: `x` is no port")
    }

    // MARK: exec

    @Test("output is shown as it comes, prefixed, and the highest status wins")
    func exec() throws {
        let program = try project.start("exec", "all", "--sandbox", "--", "echo first; sleep 60")
        #expect(try Tool.wait { program.output.components(separatedBy: "| first").count == 4 })
        program.interrupt()
        #expect(program.wait().status == 130)
        let worst = try project.labctl(
            "exec", "all", "--sandbox", "--",
            "case $SSH_CONNECTION in *\" \(sandbox.port(of: "w1"))\") exit 9;; *) exit 3;; esac")
        worst.expect(status: 9, "w1 | exit status 9", "cp1 | exit status 3")
        let json = try project.labctl(
            "exec", "cp1", "--sandbox", "-o", "json", "--", "printf 'a\\nb'; echo e >&2; exit 2")
        #expect(json.status == 2)
        let line = try #require(json.output.split(separator: "\n").last)
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["host"] as? String == "cp1")
        #expect(object["rc"] as? Int == 2)
        #expect(object["stdout"] as? String == "a\nb")
        #expect(object["stderr"] as? String == "e\n")
    }

    // MARK: cp

    @Test("a folder with odd names goes there and comes back the same")
    func odd() throws {
        try sh(
            """
            mkdir -p "n/sub dir/-x" back; cd n
            printf 1 > plain; printf 2 > 'two words'; printf 3 > ./-dash; printf 4 > "$(printf 'new\\nline')"; : > empty
            printf 5 > 'sub dir/$(id)'; printf 6 > "sub dir/-x/it's"; printf '\\0\\377\\r\\n' > 'sub dir/*'
            ln -s '../plain' 'sub dir/link'; ln -s nowhere dangling; head -c 500000 /dev/urandom > big
            chmod 640 plain; chmod 710 'sub dir'; touch -d @1000000000.25 plain 'sub dir'
            """
        ).expect(status: 0)
        try project.labctl("cp", "--sandbox", "-rp", path("n"), "cp1:" + path("there")).expect(status: 0, "cp1 9 files")
        try sh("diff -r --no-dereference n there").expect(status: 0)
        try project.labctl("cp", "--sandbox", "-rp", "w1:" + path("there"), path("back")).expect(
            status: 0, "w1 9 files")
        try sh("diff -r --no-dereference n back/there").expect(status: 0)
        for name in ["there", "back/there"] {
            #expect(
                try sh("stat -c '%a %.2Y' \(name)/plain \"\(name)/sub dir\"; readlink \"\(name)/sub dir/link\"").output
                    == "640 1000000000.25\n710 1000000000.25\n../plain\n")
        }
    }

    @Test("patterns: to many hosts, from many hosts, from a host to another, remote wildcards")
    func patterns() throws {
        try sh("mkdir to from; echo text > f.log; echo more > g.log").expect(status: 0)
        let json = try project.labctl("cp", "--sandbox", "-o", "json", path("f.log"), "workers,cp1:" + path("to/"))
        #expect(json.status == 0)
        #expect(json.output.split(separator: "\n").count { $0.contains(#""files":1,"bytes":5"#) } == 3)
        try project.labctl("cp", "--sandbox", "workers:" + path("*.log"), path("from")).expect(
            status: 0, "w1 2 files", "w2 2 files")
        #expect(
            try sh("cd from; find . -type f | sort").output == "./w1/f.log\n./w1/g.log\n./w2/f.log\n./w2/g.log\n")
        try project.labctl("cp", "--sandbox", "cp1:" + path("f.log"), "w1:" + path("h.log")).expect(
            status: 0, "cp1 → w1 1 file")
        #expect(try sh("cat h.log").output == "text\n")
    }

    @Test("what cannot be copied is told, and the rest is copied")
    func failures() throws {
        try sh("mkdir d to; mkfifo d/p; echo x > d/f; echo y > g; mkdir to/g").expect(status: 0)
        try project.labctl("cp", "--sandbox", path("d"), path("g"), "cp1:" + path("to")).expect(
            status: 2, "cp1: \(path("d")) is a folder", "try: copy it and what is in it with -r",
            "cp1: cannot write \(path("to/g"))", "\(path("to/g")) is a folder")
        try project.labctl("cp", "--sandbox", "-r", path("d"), "cp1:" + path("to")).expect(
            status: 2, "d/p is neither file, folder nor link, so it is left out", "cp1 1 file, 2 B")
        #expect(try sh("cat to/d/f").output == "x\n")
        try project.labctl("cp", "--sandbox", path("nosuch"), "cp1:" + path("to")).expect(
            status: 2, "there is no \(path("nosuch")) here")
        try project.labctl("cp", "--sandbox", "cp1:" + path("nosuch"), path("x")).expect(
            status: 2, "cp1: there is no \(path("nosuch"))")
        try project.labctl("cp", "--sandbox", path("g"), "cp1:" + path("no/g")).expect(
            status: 2, "there is no folder \(path("no"))")
        try project.labctl("cp", "--sandbox", path("g"), path("d/f"), "cp1:" + path("new")).expect(
            status: 2, "there is no folder \(path("new"))", "several files need a folder to go to")
    }

    @Test("Ctrl-C leaves the old file and nothing beside it", arguments: [true, false])
    func interrupted(isUpload: Bool) throws {
        try sh("truncate -s 3G big; mkdir to; echo old > to/f").expect(status: 0)
        let (source, target) = isUpload ? (path("big"), "cp1:" + path("to/f")) : ("cp1:" + path("big"), path("to/f"))
        let program = try project.start("cp", "--sandbox", source, target)
        #expect(try Tool.wait { try !sh("find to -name '.labctl*' -size +1000k").output.isEmpty })
        program.interrupt()
        let outcome = program.wait()
        outcome.expect(status: 130, "interrupted")
        // The node's side sees the end of its input at its own time.
        #expect(try Tool.wait { try sh("ls -A to; cat to/f").output == "f\nold\n" })
    }

    @Test("a connection that is lost in the middle leaves the old file, and ends with 4")
    func lostCopy() throws {
        try sh("truncate -s 3G big; mkdir to; echo old > to/f").expect(status: 0)
        let program = try project.start("cp", "--sandbox", path("big"), "w2:" + path("to/f"))
        #expect(try Tool.wait { try !sh("find to -name '.labctl*' -size +1000k").output.isEmpty })
        // The processes of sshd that serve the connection, and not what runs in it.
        let listener = try #require(sandbox.processes()["sshd of w2"])
        try sh("for p in $(pgrep -P \(listener)); do kill -KILL $(pgrep -x sshd -P $p) $p; done").expect(status: 0)
        let outcome = program.wait()
        outcome.expect(status: 4, "the connection was lost")
        #expect(try Tool.wait { try sh("ls -A to; cat to/f").output == "f\nold\n" })
    }

    // MARK: forward

    @Test("a forward tells its address, carries connections, and ends with Ctrl-C")
    func forward() throws {
        let program = try project.start(
            "forward", "cp1", "--sandbox", "127.0.0.1:0:127.0.0.1:\(sandbox.port(of: "w1"))")
        let shown = /127\.0\.0\.1:([0-9]+) → cp1 → 127\.0\.0\.1/
        #expect(try Tool.wait { program.output.contains(shown) })
        let port = try #require(program.output.firstMatch(of: shown)?.output.1)
        // What answers there is w1's SSH server.
        let banner = try sh("exec 3<>/dev/tcp/127.0.0.1/\(port) && head -c 4 <&3".quoted("bash -c"))
        #expect(banner.output == "SSH-")
        program.interrupt()
        program.wait().expect(status: 130, "closed")
    }
}

extension String {
    /// The text as one word behind a command.
    fileprivate func quoted(_ command: String) -> String {
        command + " '" + replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
