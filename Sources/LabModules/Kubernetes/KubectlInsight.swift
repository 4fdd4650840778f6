import LabCore
import LabKube
import LabTransport
import LabYAML

/// Knows what `kubectl apply` changes: the objects that it names are read before and after it runs, so that a role's
/// command is `ok` when nothing moved, and `changed` with objects and fields when something did.
package struct KubectlInsight: CommandInsight {
    private let environment: [String: String]

    /// - Parameter environment: of this process, for proxies of downloads.
    package init(environment: [String: String]) { self.environment = environment }

    /// In check mode, what a server-side apply would change. Otherwise the command runs as it is written.
    package func plan(_ command: ObservedCommand, in context: ModuleContext) async throws -> Plan? {
        guard context.checkMode, let subject = try await subject(command, in: context), subject.command.isServerSide
        else { return nil }
        do {
            let plan = try await subject.engine.plan(subject.intents)
            guard !plan.isEmpty else { return Plan(.nothing, notes: plan.notes) }
            return Plan(.changes(plan.items.filter(\.isChange).map { Change($0) }), notes: plan.notes)
        } catch let error as KubeError {
            throw ModuleError(error)
        }
    }

    package func observe(
        _ command: ObservedCommand, in context: ModuleContext
    ) async throws -> (any CommandObservation)? {
        guard let subject = try await subject(command, in: context) else { return nil }
        return KubectlObservation(subject: subject, before: try await subject.objects())
    }

    /// What a command applies, or nil where that cannot be known: then it is reported as other commands are.
    private func subject(_ command: ObservedCommand, in context: ModuleContext) async throws -> KubectlSubject? {
        guard let words = command.arguments, let kubectl = KubectlCommand(words) else { return nil }
        do {
            var arguments: ValueMap = [:]
            if let path = kubectl.kubeconfig { arguments["kubeconfig"] = .string(path) }
            if let name = kubectl.context { arguments["context"] = .string(name) }
            let call = ModuleCall(arguments: arguments, source: SourceValue([:]))
            let session = try await ClusterLogin(call: call, context: context).session()
            var manifests: [Manifest] = []
            for file in kubectl.files { manifests += try await read(file, command, in: context) }
            let namespace = kubectl.namespace ?? session.client.kubeconfig.namespace
            let intents = try Intents.read(manifests, defaultNamespace: namespace)
            return KubectlSubject(command: kubectl, client: session.client, intents: intents)
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as any DiagnosticError {
            // kubectl itself will say what is wrong, if it is; here only the watching is given up.
            context.progress("cannot watch what kubectl changes: \(error.diagnostics.first?.message ?? "")")
            return nil
        }
    }

    private func read(_ file: String, _ command: ObservedCommand, in context: ModuleContext) async throws -> [Manifest]
    {
        let bytes: [UInt8]
        if file == "-" {
            bytes = command.standardInput ?? []
        } else if file.hasPrefix("http://") || file.hasPrefix("https://") {
            let downloader = Downloader(environment: environment, progress: context.progress)
            bytes = Array(try await downloader.text(Downloader.Request(file)).utf8)
        } else {
            let folder = command.workingDirectory.map { $0.hasSuffix("/") ? $0 : $0 + "/" } ?? ""
            let path = file.hasPrefix("/") ? file : folder + file
            bytes = try await context.connection().readFile(path, become: command.become)
        }
        return try YAML.load(SourceFile(path: file, bytes: bytes), schema: .kubernetes).map { Manifest($0) }
    }
}

/// The objects that a `kubectl apply` names, and how to ask for them.
struct KubectlSubject: Sendable {
    let command: KubectlCommand
    let client: KubeClient
    let intents: [Intent]

    /// Server-side apply as kubectl does it, to ask what it would change.
    var engine: ApplyEngine {
        ApplyEngine(
            client: client,
            settings: ApplySettings(
                method: .serverSide(force: command.forcesConflicts), fieldManager: command.manager, keepsFields: false))
    }

    /// The live objects in the order of the manifest; nil for those that do not exist.
    func objects() async throws -> [Value?] {
        do {
            return try await ApplyEngine(client: client, settings: ApplySettings()).live(intents)
        } catch let error as KubeError {
            throw ModuleError(error)
        }
    }

    /// The fields that the manifest fixes although a controller replaces them, with their objects.
    var contested: [String] {
        intents.flatMap { intent in
            KeptFields.candidates(of: intent.object).filter { $0.hasSuffix("caBundle") }
                .map { "\($0) of \(intent.reference)" }
        }
    }
}

/// What the objects were before a `kubectl apply`, to be compared with what they are after it.
private struct KubectlObservation: CommandObservation {
    let subject: KubectlSubject
    let before: [Value?]

    func conclude(_ result: CommandResult) async throws -> CommandEffect {
        // The command may have brought kinds that were not served before.
        await subject.client.discovery.invalidate()
        let after = try await subject.objects()
        var changes: [Change] = []
        var notes: [String] = []
        for (index, intent) in subject.intents.enumerated() {
            guard let new = after[index] else { continue }
            guard let old = before[index] else {
                changes.append(Change(.create, "\(intent.reference)"))
                continue
            }
            guard hasMoved(old, new) else { continue }
            let fields = FieldDiff.changes(from: old, to: new)
            changes.append(
                Change(
                    .update, "\(intent.reference)",
                    fields: fields.map { .init($0.path, before: $0.before, after: $0.after, owner: $0.owner) }))
            for field in fields {
                guard let owner = field.owner, !owner.contains(subject.command.manager) else { continue }
                notes.append("kubectl wrote over \(field.path) of \(intent.reference), which \(owner) had set")
            }
        }
        var effect = CommandEffect(changed: !changes.isEmpty, changes: changes, notes: notes)
        effect.proof = proof(changed: !changes.isEmpty, succeeded: result.exitStatus == 0)
        return effect
    }

    /// Whether kubectl wrote the object: status and controllers move its resource version too.
    private func hasMoved(_ old: Value, _ new: Value) -> Bool {
        guard old[["metadata", "resourceVersion"]] != new[["metadata", "resourceVersion"]] else { return false }
        return entries(old) != entries(new) || FieldDiff.differs(old, new)
    }

    /// What kubectl's own entries say, times included: they move only when kubectl wrote something.
    private func entries(_ object: Value) -> [Value] {
        (object[["metadata", "managedFields"]]?.list ?? []).filter {
            $0["manager"]?.string == subject.command.manager && $0["subresource"] == nil
        }
    }

    private func proof(changed: Bool, succeeded: Bool) -> ModuleResult.ProofClaim {
        guard succeeded else { return .unproved(reason: "kubectl failed") }
        guard changed else { return .proved(by: "no object that it names was written") }
        if let field = subject.contested.first {
            return .unproved(
                reason: "the manifest fixes \(field), which its controller replaces: each apply writes it back and the "
                    + "controller replaces it again; the k8s module leaves such a field to its controller")
        }
        return .unproved(reason: "only another run of kubectl apply can show that it changes nothing")
    }
}
