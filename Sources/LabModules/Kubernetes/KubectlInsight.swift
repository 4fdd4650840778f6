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
        return KubectlObservation(
            subject: subject, before: try await subject.objects(),
            contests: try await context.shared.resource(
                "fields that two writers fix on \(context.hostName)", as: Contests.self
            ) { Contests() })
    }

    /// What a command applies, or nil where that cannot be known: then it is reported as other commands are.
    private func subject(_ command: ObservedCommand, in context: ModuleContext) async throws -> KubectlSubject? {
        guard let words = command.arguments, let kubectl = KubectlCommand(words) else { return nil }
        do {
            var arguments: ValueMap = [:]
            if let path = kubectl.kubeconfig { arguments["kubeconfig"] = .string(path) }
            if let name = kubectl.context { arguments["context"] = .string(name) }
            let call = ModuleCall(arguments: arguments, source: SourceValue([:]))
            let session = try await ClusterLogin(call: call, context: context, followsRun: false).session()
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
}

/// A field that the manifest fixes although a controller replaces it.
private struct Contest: Sendable, Hashable {
    /// `.spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition bgppeers.metallb.io`.
    let field: String
    /// Who replaces it; nil where nobody has yet.
    let owner: String?
}

/// The fields that two writers were seen to fix in this run.
///
/// That a run of kubectl wrote nothing proves nothing about them: their controller may only not have come to it yet.
private actor Contests: RunStorage.Resource {
    private var seen: Set<String> = []
    private var owners: [String: String] = [:]

    func note(_ contests: [Contest]) {
        for contest in contests {
            seen.insert(contest.field)
            if let owner = contest.owner { owners[contest.field] = owner }
        }
    }

    /// One of these that was noted before in the run.
    func first(of contests: [Contest]) -> Contest? {
        contests.first { seen.contains($0.field) }.map {
            Contest(field: $0.field, owner: $0.owner ?? owners[$0.field])
        }
    }

    func close() async {}
}

/// What the objects were before a `kubectl apply`, to be compared with what they are after it.
private struct KubectlObservation: CommandObservation {
    let subject: KubectlSubject
    let before: [Value?]
    let contests: Contests

    func conclude(_ result: CommandResult) async throws -> CommandEffect {
        // The command may have brought kinds that were not served before.
        await subject.client.discovery.invalidate()
        let after = try await subject.objects()
        var changes: [Change] = []
        var notes: [String] = []
        var contested: [Contest] = []
        for (index, intent) in subject.intents.enumerated() {
            guard let new = after[index] else { continue }
            contested += contestedFields(of: intent, before[index] ?? new)
            guard let old = before[index] else {
                changes.append(Change(.create, "\(intent.reference)"))
                continue
            }
            guard hasMoved(old, new) else { continue }
            var replaced: [String] = []
            let fields = fields(of: intent, from: old, to: new, &replaced)
            changes.append(Change(.update, "\(intent.reference)", fields: fields))
            for field in fields {
                guard let owner = field.owner, !owner.contains(subject.command.manager) else { continue }
                notes.append("kubectl wrote over \(field.path) of \(intent.reference), which \(owner) had set")
            }
            notes += replaced
        }
        var effect = CommandEffect(changed: !changes.isEmpty, changes: changes, notes: notes)
        effect.proof = await proof(
            changed: !changes.isEmpty, succeeded: result.exitStatus == 0, contested: contested)
        return effect
    }

    /// The fields that kubectl changed, also those that their controller has replaced again before anybody looked.
    private func fields(
        of intent: Intent, from old: Value, to new: Value, _ notes: inout [String]
    ) -> [Change.Field] {
        var fields = FieldDiff.changes(from: old, to: new).map {
            Change.Field($0.path, before: $0.before, after: $0.after, owner: $0.owner)
        }
        for candidate in KeptFields.candidates(of: intent.object) {
            let path = FieldPath(parsing: candidate)
            let wanted = intent.object[field: path]
            guard old[field: path] != wanted, new[field: path] != wanted else { continue }
            let owner = ManagedFields(of: old).owners(of: path, in: old).map(\.description).joined(separator: ", ")
            fields.removeAll { $0.path == candidate }
            fields.append(
                Change.Field(
                    candidate, before: old[field: path], after: wanted, owner: owner.isEmpty ? nil : owner))
            let again = ManagedFields(of: new).owners(of: path, in: new).first?.manager ?? "its controller"
            notes.append("\(again) has replaced \(candidate) of \(intent.reference) again already")
        }
        return fields
    }

    /// The fields that the manifest fixes although a controller replaces them.
    private func contestedFields(of intent: Intent, _ live: Value) -> [Contest] {
        KeptFields.candidates(of: intent.object).filter { $0.hasSuffix("caBundle") }.map { field in
            let owners = ManagedFields(of: live).owners(of: FieldPath(parsing: field), in: live)
            return Contest(
                field: "\(field) of \(intent.reference)",
                owner: owners.first { $0.manager != subject.command.manager }?.manager)
        }
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

    private func proof(
        changed: Bool, succeeded: Bool, contested: [Contest]
    ) async -> ModuleResult.ProofClaim {
        guard succeeded else { return .unproved(reason: "kubectl failed") }
        guard changed else {
            guard let contest = await contests.first(of: contested) else {
                return .proved(by: "no object that it names was written")
            }
            return .unproved(
                reason: "no object was written this time, since \(contest.owner ?? "its controller") has not yet "
                    + "replaced \(contest.field) again, which the manifest fixes; then the next apply writes it back")
        }
        await contests.note(contested)
        if let contest = contested.first(where: { $0.owner != nil }) ?? contested.first {
            let owner = contest.owner.map { " (it writes as \($0))" } ?? ""
            return .unproved(
                reason:
                    "the manifest fixes \(contest.field), which its controller replaces\(owner): two writers of one "
                    + "field, so each apply writes it back and the controller replaces it again, for ever. The metallb "
                    + "role that labctl has applies the manifest with the k8s module instead, which leaves such a "
                    + "field to its controller")
        }
        return .unproved(reason: "only another run of kubectl apply can show that it changes nothing")
    }
}
