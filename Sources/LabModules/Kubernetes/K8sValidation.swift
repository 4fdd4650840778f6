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
            guard let manifests = try manifests() else { return [] }
            let intents = try Intents.read(manifests, defaultNamespace: "default", keepsNulls: true)
            return problems(intents)
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

    private func problems(_ intents: [Intent]) -> [Diagnostic] {
        let nodes = scope.hostAddresses.compactMap { entry in
            IPAddress(entry.address).map { (host: entry.host, address: $0) }
        }
        return PoolRules.problems(in: intents.map(\.object), nodes: nodes).map { problem in
            let intent = intents[problem.index]
            // A value of a variable is wrong where the variable was written, not where the template uses it.
            let span = problem.text.flatMap(scope.spanOfText) ?? intent.span(of: problem.path) ?? call.span
            return Diagnostic(
                problem.message, span: span, hint: problem.hint, severity: problem.isWarning ? .warning : .error)
        }
    }
}
