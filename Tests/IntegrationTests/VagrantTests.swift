import Foundation
import Testing

/// What `vagrant ssh-config` prints is enough for the main job: the lab's own files say the rest.
@Suite("Vagrant", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct VagrantTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
        let folder = sandbox.folder.path
        let machines = try ["cp1", "w1", "w2"].map { name in
            """
            Host \(name)
              HostName 127.0.0.1
              User \(NSUserName())
              Port \(try sandbox.port(of: name))
              UserKnownHostsFile \(folder)/known_hosts
              StrictHostKeyChecking yes
              PasswordAuthentication no
              IdentityFile \(folder)/client_key
              IdentitiesOnly yes
              LogLevel FATAL


            """
        }
        try project.write(machines.joined(), to: "ssh-config")
        try project.write("#!/bin/sh\nexec cat \(project.folder.path)/ssh-config\n", to: "bin/vagrant")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: project.folder.appending(path: "bin/vagrant").path)
    }

    private func labctl(_ arguments: String...) throws -> Labctl.Outcome {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return try Labctl.run(
            arguments, in: project.folder,
            environment: [
                "HOME": project.folder.appending(path: "home").path,
                "PATH": project.folder.appending(path: "bin").path + ":" + path,
            ])
    }

    @Test("metallb is provisioned", arguments: ["vagrant", "ssh-config"])
    func provisioned(_ inventory: String) throws {
        let outcome = try labctl("provision", "metallb", "-i", inventory, "-e", sandbox.manifest)
        outcome.expect(status: 0, "metallb on cp1", "every step proved")
    }

    @Test("the lab's groups, variables and addresses hold for the machines")
    func known() throws {
        try labctl("inventory", "-i", "vagrant").expect(
            status: 0, "cp1 \(NSUserName())@127.0.0.1:\(try sandbox.port(of: "cp1")) control_plane")
        try labctl("inventory", "-i", "vagrant", "--host", "w2").expect(
            status: 0, "node_address: 192.168.56.12", "metallb_version: 0.14.9")
    }

    @Test("machines of other names have the variables that all hosts share")
    func others() throws {
        try project.write(try project.read("ssh-config").replacing("Host w2", with: "Host other"), to: "others")
        try labctl("inventory", "-i", "others").expect(status: 0, "control_plane", "workers")
        try labctl("inventory", "-i", "others", "--host", "other").expect(status: 0, "metallb_version: 0.14.9")
    }
}
