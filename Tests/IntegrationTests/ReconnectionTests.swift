import Foundation
import Testing

/// Connections of a run that are lost and made anew: real sshd, whose processes are killed.
@Suite(
    "Connections that are lost", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct ReconnectionTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
    }

    /// Kills the processes that serve cp1's connections.
    private func killSessions() throws {
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        for session in try Tool.children(of: server) { kill(session, SIGKILL) }
    }

    /// A role whose command waits the first time, and the file that says that it runs.
    private func guardedRole(_ name: String) throws -> URL {
        let mark = project.folder.appending(path: name)
        let script = "[ -e \(mark.path) ] || { touch \(mark.path); exec sleep 30; }; touch \(mark.path).done"
        try project.write(
            "- name: Wait once\n  shell: \"\(script)\"\n  args: {creates: \(mark.path).done}\n",
            to: "roles/\(name)/tasks/main.yml")
        return mark
    }

    @Test("a command that creates a file is run again")
    func guarded() throws {
        let mark = try guardedRole("guarded")
        let run = try project.start("provision", "guarded", "--sandbox", "-l", "cp1")
        let began = try Tool.wait { FileManager.default.fileExists(atPath: mark.path) }
        try #require(began, "\(run.output)\(run.errors)")
        try killSessions()
        run.wait().expect(status: 0, "changed     Wait once", "connection lost, reconnected", "1 of 1 steps proved")
    }

    @Test("MetalLB is installed although the node's session is lost under it")
    func cluster() throws {
        let run = try project.start("provision", "metallb", "--sandbox", "-e", sandbox.manifest)
        let began = try Tool.wait { run.output.contains("Manifest applied") }
        try #require(began, "\(run.output)\(run.errors)")
        try killSessions()
        run.wait().expect(status: 0, "connection lost, reconnected", "every step proved")
        try project.labctl("plan", "metallb", "--sandbox", "-e", sandbox.manifest).expect(
            status: 0, "nothing would change")
    }

    @Test("a node that is started again in the middle of a task")
    func reboot() throws {
        defer {
            _ = try? project.labctl("sandbox", "down")
            _ = try? project.labctl("sandbox", "up")
        }
        let mark = try guardedRole("rebooted")
        let run = try project.start("provision", "rebooted", "--sandbox", "-l", "cp1")
        let began = try Tool.wait { FileManager.default.fileExists(atPath: mark.path) }
        try #require(began, "\(run.output)\(run.errors)")
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        let sessions = try Tool.children(of: server)
        for process in [server] + sessions { kill(process, SIGKILL) }
        #expect(try Tool.wait { try !Tool.isRunning(server) })
        // It stays away for a few of labctl's tries.
        usleep(1_500_000)
        let again = try Tool.start(
            [
                "/usr/sbin/sshd", "-D", "-e", "-f",
                sandbox.folder.appending(path: "nodes/cp1/sshd_config").path,
            ], in: project.folder)
        run.wait().expect(status: 0, "changed     Wait once", "connection lost, reconnected")
        again.send(signal: SIGKILL)
        _ = again.wait()
    }
}
