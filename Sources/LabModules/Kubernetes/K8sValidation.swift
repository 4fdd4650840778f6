import LabCore
import LabKube
import LabTransport

/// What can be said of a `k8s` task before anything is sent: whether its objects are objects, and MetalLB's rules.
struct K8sValidation {
    let call: ModuleCall
    let scope: ValidationScope

    func diagnostics() -> [Diagnostic] {
        // What goes is only named; whatever else a definition says of it does not matter.
        guard call["state"] != "absent" else { return [] }
        do {
            // What is only known later (a download, a file that an earlier task makes) is judged then.
            if let manifests = try manifests() {
                _ = try Intents.read(manifests, defaultNamespace: "default", keepsNulls: true)
            }
        } catch let error as any DiagnosticError {
            return error.diagnostics
        } catch {
            // A template that cannot be rendered before the run; its task tells then.
        }
        return MetalLBObjects.check(call, in: scope)
    }

    private func manifests() throws -> [Manifest]? {
        let source = ManifestSource(
            call: call, localFile: localFile,
            renderFile: { text, path, _ in
                let rendered = try scope.render(text, path)
                return rendered.string ?? rendered.json()
            })
        do {
            return try source.local()
        } catch is MissingFile {
            return nil
        }
    }

    private struct MissingFile: Error {}

    private func localFile(_ path: String, _ span: SourceSpan?) throws -> String {
        let candidates =
            path.hasPrefix("/") ? [path] : scope.searchPaths.map { $0.hasSuffix("/") ? $0 + path : "\($0)/\(path)" }
        guard let found = candidates.first(where: { LocalFiles.status($0) != nil }) else { throw MissingFile() }
        return found
    }
}
