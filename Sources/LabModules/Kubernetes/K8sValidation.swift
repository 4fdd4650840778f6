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
            guard let manifests = try manifests() else {
                if !MetalLBObjects.expectManifest(of: call, in: scope) { scope.record?.markIncomplete() }
                return []
            }
            _ = try Intents.read(manifests, defaultNamespace: "default", keepsNulls: true)
            return MetalLBObjects.check(call, manifests, in: scope)
        } catch let error as any DiagnosticError {
            return error.diagnostics
        } catch {
            return []
        }
    }

    private func manifests() throws -> [Manifest]? {
        let source = ManifestSource(
            call: call, localFile: localFile,
            renderFile: { text, path, _ in
                do {
                    let rendered = try scope.render(text, path)
                    return rendered.string ?? rendered.json()
                } catch {
                    throw NotYet()
                }
            })
        do {
            return try source.local()
        } catch is NotYet {
            return nil
        }
    }

    /// A file is not there yet, or a template uses what only the run can tell.
    private struct NotYet: Error {}

    private func localFile(_ path: String, _ span: SourceSpan?) throws -> String {
        let candidates =
            path.hasPrefix("/") ? [path] : scope.searchPaths.map { $0.hasSuffix("/") ? $0 + path : "\($0)/\(path)" }
        guard let found = candidates.first(where: { LocalFiles.status($0) != nil }) else { throw NotYet() }
        return found
    }
}
