import LabCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the files of a sandbox are: `<project>/.labctl/sandbox`.
package struct SandboxDirectory: Sendable, Hashable {
    /// The project's folder, absolute.
    package let project: String

    package init(project: String) {
        let path = project.hasPrefix("/") ? project : FileManager.default.currentDirectoryPath + "/" + project
        // One folder has one name here, as the processes of a sandbox are found by it.
        if let real = realpath(path, nil) {
            self.project = String(cString: real)
            free(real)
        } else {
            self.project = path
        }
    }

    /// The directory of a sandbox's own path (what `labctl sandbox serve --directory` is given).
    package init?(root: String) {
        guard root.hasSuffix("/.labctl/sandbox") else { return nil }
        self.init(project: String(root.dropLast("/.labctl/sandbox".count)))
    }

    package var root: String { project + "/.labctl/sandbox" }
    /// Beside the sandbox, so that it outlives it.
    var lock: String { project + "/.labctl/sandbox.lock" }
    var record: String { root + "/state.json" }
    package var inventory: String { root + "/inventory.yml" }
    package var knownHosts: String { root + "/known_hosts" }
    package var clientKey: String { root + "/client_key" }
    package var manifest: String { root + "/metallb-miniature.yaml" }
    package var frrManifest: String { root + "/metallb-frr-miniature.yaml" }
    var api: String { root + "/api" }
    package var kubeconfig: String { api + "/kubeconfig" }
    /// Written by the API server when it listens.
    var ready: String { api + "/ready.json" }
    package var serverLog: String { api + "/server.log" }

    func node(_ name: String) -> String { root + "/nodes/\(name)" }
    /// The home folder of the user on a node.
    package func home(_ node: String) -> String { self.node(node) + "/home" }
    func configuration(_ node: String) -> String { self.node(node) + "/sshd_config" }
    func hostKey(_ node: String) -> String { self.node(node) + "/host_key" }
    /// The log of a node's SSH server.
    package func nodeLog(_ node: String) -> String { self.node(node) + "/sshd.log" }
    func pidFile(_ node: String) -> String { self.node(node) + "/sshd.pid" }
}

/// The file operations that the sandbox needs.
enum Files {
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    static func makeDirectory(_ path: String, mode: Int = 0o700) throws(SandboxError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch {
            throw SandboxError("cannot make the folder \(path)", notes: ["\(error)"])
        }
    }

    /// Writes beside the file first and renames, so that nobody reads half of it.
    static func write(_ text: String, to path: String, mode: Int = 0o600) throws(SandboxError) {
        let temporary = "\(path).\(UUID4.suffix(8))"
        do {
            guard
                FileManager.default.createFile(
                    atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
            else { throw SandboxError("cannot write \(path)") }
            guard rename(temporary, path) == 0 else { throw SandboxError("cannot write \(path): \(errorText())") }
        } catch let error as SandboxError {
            throw error
        } catch {
            throw SandboxError("cannot write \(path)", notes: ["\(error)"])
        }
    }

    static func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    static func remove(_ path: String) throws(SandboxError) {
        guard exists(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw SandboxError("cannot remove \(path)", notes: ["\(error)"])
        }
    }

    /// The last lines of a log, for an error's notes.
    static func tail(_ path: String, lines: Int = 5) -> [String] {
        (read(path) ?? "").split(separator: "\n").suffix(lines).map { String($0) }
    }

    static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
}

/// The text of `errno`.
func errorText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
