import LabCore
import LabModel
import LabModules
import LabSandbox
import LabTransport

/// Which MetalLB manifest a run in the sandbox takes: the real one where it is cached or can be downloaded, else the
/// miniature of labctl's own.
enum SandboxManifest {
    /// - Returns: a layer that sets `metallb_manifest` to the miniature where the real one is out of reach; nothing for
    ///   roles that have no such variable, or where the user says which manifest it shall be.
    static func variables(
        for plays: [LabModel.Play], in project: Project, _ sandbox: SandboxUse, tell: (String) -> Void
    ) async throws -> [VariableLayer] {
        guard let play = plays.first(where: { $0.defines("metallb_manifest_url") }),
            !["metallb_manifest", "metallb_manifest_url", "metallb_manifest_sha256", "metallb_frr_manifest_sha256"]
                .contains(where: { project.extraVariables.variables[$0] != nil }),
            let host = project.inventory.hosts.values.first
        else { return [] }
        let scope = project.scope(of: host, play: play)
        func text(_ name: String) throws -> String? { try scope.variable(name)?.string }
        guard try text("metallb_manifest")?.isEmpty ?? true, let url = try text("metallb_manifest_url"),
            let folder = try text("metallb_cache_dir"), let version = try text("metallb_version")
        else { return [] }
        let variant = try text("metallb_manifest_variant") ?? "native"
        let path = "\(folder)/metallb-\(variant)-v\(version).yaml"
        let sha256 = try text(variant == "native" ? "metallb_manifest_sha256" : "metallb_frr_manifest_sha256")
        guard await !isAvailable(url, at: path, in: folder, sha256: sha256) else {
            return []
        }
        tell("sandbox: \(url) is out of reach and not cached, so labctl's own miniature of the manifest is used")
        var layer = VariableLayer(.extraVars)
        layer.set(
            "metallb_manifest",
            value: .string(variant == "native" ? sandbox.sandbox.manifestPath : sandbox.sandbox.frrManifestPath))
        return [layer]
    }

    /// Whether the file is cached with the right checksum, or could be downloaded to the cache now.
    private static func isAvailable(_ url: String, at path: String, in folder: String, sha256: String?) async -> Bool {
        let laptop = LocalConnection()
        if let bytes = try? await laptop.readFile(path, become: nil) {
            return sha256 == nil || Checksum.of(bytes) == sha256?.lowercased()
        }
        let request = Downloader.Request(
            url, timeout: .seconds(5), checksum: sha256.map { (algorithm: .sha256, digest: $0) })
        let makesFolder = Command(.arguments(["mkdir", "-p", folder]))
        guard (try? await laptop.run(makesFolder))?.exitStatus == 0 else { return false }
        return (try? await Downloader(environment: Surroundings.environment).download(request, to: path)) != nil
    }
}

extension LabModel.Play {
    fileprivate func defines(_ variable: String) -> Bool {
        (roles.map(\.context) + exposedRoles).contains { role in
            role.defaults.contains { $0.variables[variable] != nil }
        }
    }
}
