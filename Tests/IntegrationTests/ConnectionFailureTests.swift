import Foundation
import Testing

/// What goes wrong between the laptop and a node's shell: real sshd, real keys, real sockets.
@Suite(
    "Connection failures", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct ConnectionFailureTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
    }

    /// A fresh key pair, and the path of its private half.
    private func key(named name: String) throws -> String {
        let path = project.folder.appending(path: name).path
        for file in [path, path + ".pub"] { try? FileManager.default.removeItem(atPath: file) }
        let outcome = try Tool.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], in: project.folder)
        try #require(outcome.status == 0, "\(outcome.everything)")
        return path
    }

    /// The sandbox's inventory with another private key.
    private func inventory(key: String) throws -> String {
        try sandbox.inventory(named: "other-key") { text in
            text.replacing(
                #/private_key_file: .*/#, with: "private_key_file: \(key)")
        }
    }

    /// The sandbox's inventory with a known_hosts file that holds `text`, and the path of that file.
    private func inventory(knownHosts text: String, checking: String? = "yes") throws -> (String, String) {
        let file = try project.write(text, to: "known-hosts/known_hosts")
        let option = checking.map { " -o StrictHostKeyChecking=\($0)" } ?? ""
        let inventory = try sandbox.inventory(named: "known-hosts") { inventory in
            inventory.replacing(
                #/ansible_ssh_common_args: .*/#,
                with: "ansible_ssh_common_args: -o UserKnownHostsFile=\(file)\(option) -o IdentitiesOnly=yes")
        }
        return (inventory, file)
    }

    /// An inventory of one host behind `port`.
    private func inventory(port: Int) throws -> String {
        try sandbox.inventory(named: "one-host") { _ in
            """
            all:
              children:
                control_plane:
                  hosts:
                    cp1: {ansible_host: 127.0.0.1, ansible_port: \(port)}

            """
        }
    }

    @Test("a key that the host does not know")
    func wrongKey() throws {
        let path = try key(named: "wrong_key")
        let inventory = try inventory(key: path)
        try project.labctl("exec", "cp1", "-i", inventory, "--", "true").expect(
            status: 4, "error: cp1: login as", "was denied", "key \(path): not accepted",
            "the server accepts publickey", "try: set ansible_ssh_private_key_file")
    }

    @Test("a key that is not there, and one that others may read")
    func badKeyFile() throws {
        let missing = project.folder.appending(path: "no_key").path
        try project.labctl("exec", "cp1", "-i", inventory(key: missing), "--", "true").expect(
            status: 4, "error: cp1: login as", "key \(missing): no such file")
        let open = try key(named: "open_key")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: open)
        try project.labctl("exec", "cp1", "-i", inventory(key: open), "--", "true").expect(
            status: 4, "key \(open): others may read it (mode 644); chmod 600 it")
    }

    @Test("an unknown host key is refused and not written down")
    func unknownHostKey() throws {
        let (inventory, file) = try inventory(knownHosts: "")
        try project.labctl("exec", "cp1", "-i", inventory, "--", "true").expect(
            status: 4, "error: cp1: the host key is not known", "the server shows ssh-ed25519 SHA256:",
            "looked for [127.0.0.1]:\(sandbox.port(of: "cp1")) in \(file)", "accept-new")
        #expect(try project.read("known-hosts/known_hosts").isEmpty)
    }

    @Test("an unknown host key is taken and written down on request")
    func acceptNew() throws {
        let (inventory, file) = try inventory(knownHosts: "", checking: nil)
        try project.labctl("exec", "cp1", "-i", inventory, "--host-key-checking", "accept-new", "--", "true").expect(
            status: 0)
        // Not by reading the file: the host's name is hashed where ssh_config asks for it.
        let found = try Tool.run(
            ["ssh-keygen", "-F", "[127.0.0.1]:\(sandbox.port(of: "cp1"))", "-f", file], in: project.folder)
        #expect(found.status == 0 && found.output.contains("ssh-ed25519 "), "\(found.everything)")
        try project.labctl("exec", "cp1", "-i", inventory, "--", "echo", "again").expect(status: 0, "cp1 | again")
    }

    @Test("a changed host key names the line of known_hosts and the command that mends it")
    func changedHostKey() throws {
        let other = try key(named: "other_host_key")
        let publicKey = try String(contentsOfFile: other + ".pub", encoding: .utf8).split(separator: " ")
        let host = "[127.0.0.1]:\(try sandbox.port(of: "cp1"))"
        let (inventory, file) = try inventory(
            knownHosts: "# the lab\n\(host) \(publicKey[0]) \(publicKey[1])\n")
        let outcome = try project.labctl(
            "exec", "cp1", "-i", inventory, "--host-key-checking", "accept-new", "--", "true")
        outcome.expect(
            status: 4, "error: cp1: the host key has changed", "the server shows ssh-ed25519 SHA256:",
            "\(file):2 has ssh-ed25519 SHA256:", "ssh-keygen -f \(file) -R '\(host)'",
            "somebody may be in between")
        let mended = try Tool.run(["ssh-keygen", "-f", file, "-R", host], in: project.folder)
        #expect(mended.status == 0)
        try project.labctl("exec", "cp1", "-i", inventory, "--", "true").expect(
            status: 4, "the host key is not known")
    }

    @Test("a port on which nobody listens")
    func refused() throws {
        let port = try LocalPort.closed()
        try project.labctl("exec", "cp1", "-i", inventory(port: port), "--", "true").expect(
            status: 4, "error: cp1: connection refused by 127.0.0.1:\(port)", "look whether sshd runs on the host")
    }

    @Test("a host that never answers is given up after --connect-timeout")
    func silent() throws {
        let silent = try LocalPort()
        let inventory = try inventory(port: silent.number)
        let arguments = ["-i", inventory, "--connect-timeout", "2"]
        try project.labctl(
            "exec", "cp1", arguments[0], arguments[1], arguments[2], arguments[3], "--", "true", deadline: 60
        )
        .expect(
            status: 4, "error: cp1: no answer within 2", "the SSH handshake with 127.0.0.1:\(silent.number)",
            "look whether the host is up")
        #expect(silent.wasUsed)
    }

    @Test("a name without an address")
    func unresolved() throws {
        try project.labctl("exec", "all", "-i", "nosuch.invalid,", "--connect-timeout", "5", "--", "true").expect(
            status: 4, "the name nosuch.invalid has no address", "set ansible_host")
    }

    @Test("one host that is away does not keep the others from their work")
    func oneOfThree() throws {
        let port = try LocalPort.closed()
        let w1 = try sandbox.port(of: "w1")
        let inventory = try sandbox.inventory(named: "one-of-three") {
            $0.replacing("ansible_port: \(w1)\n", with: "ansible_port: \(port)\n")
        }
        try project.labctl("exec", "all", "-i", inventory, "--", "echo", "here").expect(
            status: 4, "cp1 | here", "w2 | here", "error: w1: connection refused by 127.0.0.1:\(port)")
    }

    @Test("a run on a host that is away says so once, and not as a failed step")
    func unreachableInARun() throws {
        let port = try LocalPort.closed()
        let outcome = try project.labctl(
            "provision", "metallb", "-i", inventory(port: port), "-e", sandbox.manifest)
        outcome.expect(
            status: 4, "unreachable Manifest applied", "cp1: connection refused by 127.0.0.1:\(port)",
            "not reached: cp1", "0 failed")
        #expect(outcome.count(of: "connection refused by") == 1, "\(outcome.everything)")
    }

    @Test("a connection that is lost in the middle", arguments: ["exec", "provision"])
    func lost(command: String) throws {
        let mark = project.folder.appending(path: "pid-\(command)")
        let script = "echo $$ > \(mark.path).new; mv \(mark.path).new \(mark.path); exec sleep 600"
        try project.write(
            "- name: Wait\n  shell: \"\(script)\"\n  changed_when: false\n", to: "roles/slow/tasks/main.yml")
        let run =
            command == "exec"
            ? try project.start("exec", "cp1", "--sandbox", "--", script)
            : try project.start("provision", "slow", "--sandbox", "-l", "cp1")
        defer {
            if let text = try? String(contentsOf: mark, encoding: .utf8),
                let process = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                kill(process, SIGKILL)
            }
        }
        let began = try Tool.wait { FileManager.default.fileExists(atPath: mark.path) }
        try #require(began, "\(run.output)\(run.errors)")
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        for session in try Tool.children(of: server) { kill(session, SIGKILL) }
        let outcome = run.wait()
        outcome.expect(status: 4, "cp1: the connection was lost", "the command may or may not have finished")
        #expect(outcome.count(of: "the connection was lost") == 1, "\(outcome.everything)")
    }

    @Test("hosts that are away in several ways end in time, and the others are done")
    func severalWays() throws {
        let silent = try LocalPort()
        let (w1, w2) = (try sandbox.port(of: "w1"), try sandbox.port(of: "w2"))
        let inventory = try sandbox.inventory(named: "several-ways") {
            $0.replacing("ansible_port: \(w1)\n", with: "ansible_port: \(silent.number)\n")
                .replacing("ansible_port: \(w2)\n", with: "ansible_port: 1\n")
        }
        try project.write("- name: Say\n  command: echo said\n", to: "roles/say/tasks/main.yml")
        try project.labctl("provision", "say", "-i", inventory, "--connect-timeout", "2").expect(
            status: 4, "w1: no answer within 2s", "w2: connection refused by 127.0.0.1:1", "not reached: w1, w2",
            "cp1  0 ok  1 changed")
    }

    @Test("a laptop that sleeps goes on when it wakes")
    func sleepingLaptop() throws {
        let inventory = try sandbox.inventory(named: "sleeping") {
            $0.replacing(
                "ansible_ssh_common_args: ",
                with: "ansible_ssh_common_args: -o ServerAliveInterval=1 -o ServerAliveCountMax=1 ")
        }
        let mark = project.folder.appending(path: "asleep")
        let run = try project.start(
            "exec", "cp1", "-i", inventory, "--",
            "touch \(mark.path); while [ -e \(mark.path) ]; do sleep 0.1; done; echo woke")
        #expect(try Tool.wait { FileManager.default.fileExists(atPath: mark.path) })
        run.send(signal: SIGSTOP)
        // Longer than the server may be silent (one second and one more).
        usleep(4_000_000)
        run.send(signal: SIGCONT)
        usleep(2_000_000)
        try FileManager.default.removeItem(at: mark)
        run.wait().expect(status: 0, "cp1 | woke")
    }

    @Test("Ctrl-C twice ends at once, whatever the host does", arguments: ["exec", "provision"])
    func interruptedTwice(command: String) throws {
        let mark = project.folder.appending(path: "twice-\(command)")
        let script = "echo $$ > \(mark.path).new; mv \(mark.path).new \(mark.path); exec sleep 600"
        try project.write(
            "- name: Wait\n  shell: \"\(script)\"\n  changed_when: false\n", to: "roles/slow/tasks/main.yml")
        let run =
            command == "exec"
            ? try project.start("exec", "cp1", "--sandbox", "--", script)
            : try project.start("provision", "slow", "--sandbox", "-l", "cp1")
        let began = try Tool.wait { FileManager.default.fileExists(atPath: mark.path) }
        try #require(began, "\(run.output)\(run.errors)")
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        let sessions = try Tool.children(of: server)
        // The host says nothing any more, so that closing takes its time.
        for session in sessions { kill(session, SIGSTOP) }
        defer { for session in sessions { kill(session, SIGKILL) } }
        run.interrupt()
        let told = try Tool.wait { (run.output + run.errors).contains("again to stop at once") }
        #expect(told, "\(run.output)\(run.errors)")
        run.interrupt()
        #expect(run.wait().status == 130)
        if let text = try? String(contentsOf: mark, encoding: .utf8),
            let process = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            kill(process, SIGKILL)
        }
    }

    @Test("Ctrl-C ends at once, here and on the host", arguments: ["exec", "provision"])
    func interrupted(command: String) throws {
        let mark = project.folder.appending(path: "interrupted-\(command)")
        let script = "echo $$ > \(mark.path).new; mv \(mark.path).new \(mark.path); exec sleep 600"
        try project.write(
            "- name: Wait\n  shell: \"\(script)\"\n  changed_when: false\n", to: "roles/slow/tasks/main.yml")
        let run =
            command == "exec"
            ? try project.start("exec", "cp1", "--sandbox", "--", script)
            : try project.start("provision", "slow", "--sandbox", "-l", "cp1")
        let began = try Tool.wait { FileManager.default.fileExists(atPath: mark.path) }
        try #require(began, "\(run.output)\(run.errors)")
        run.interrupt()
        run.wait().expect(status: 130, "interrupted", command == "provision" ? "recap" : "")
        let process = try #require(
            Int32(String(contentsOf: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(try Tool.wait { try !Tool.isRunning(process) }, "the command goes on on the host")
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        #expect(try Tool.wait { try Tool.children(of: server).isEmpty }, "the session stays open")
    }
}
