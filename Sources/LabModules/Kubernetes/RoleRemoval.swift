import LabCore
import LabKube

/// Takes away what a role brought to a cluster: by the role's record, or where there is none, by what the role would apply.
package actor RoleRemoval {
    /// Where what is to go is known from.
    private enum Source: Sendable {
        case record(ApplySetScope)
        /// The label on objects whose record is gone.
        case label(Set<GroupKind>)
        case role([Intent])
    }

    private let role: String
    private let set: ApplySet
    private let calls: [ApplyCall]
    /// Why some of the role's calls are not known.
    private let unknown: [Diagnostic]
    private let timeout: Duration
    private let showsFields: Bool
    private var clusters: [(session: ClusterSession, source: Source)] = []

    /// - Parameters:
    ///   - calls: The calls of the role's tasks that apply objects.
    ///   - unknown: Why some of them could not be made out.
    ///   - timeout: How long each stage may take.
    ///   - showsFields: Whether the changes have the fields that go.
    package init(
        role: String, calls: [ApplyCall], unknown: [Diagnostic], timeout: Duration, showsFields: Bool
    ) {
        self.role = role
        self.set = ApplySet(role: role)
        self.calls = calls
        self.unknown = unknown
        self.timeout = timeout
        self.showsFields = showsFields
    }

    // MARK: Looking

    /// What was found, before anything is removed.
    struct Findings: Sendable {
        var stages: Set<Removal.Stage> = []
        var hasRecord = false
        var notes: [String] = []
        var warnings: [String] = []
    }

    /// Looks what there is to remove, and fails when anything would be lost with it that the role did not make.
    func find() async throws -> Findings {
        var findings = Findings()
        var seen: Set<ObjectIdentifier> = []
        for call in calls {
            let session = try await call.session()
            guard seen.insert(ObjectIdentifier(session)).inserted else { continue }
            try await find(in: session, &findings)
        }
        return findings
    }

    private func find(in session: ClusterSession, _ findings: inout Findings) async throws {
        let client = session.client
        let store = ApplySetStore(client: client, set: set)
        let source: Source
        if let parent = try await store.parent() {
            source = .record(parent.scope)
            findings.hasRecord = true
            findings.notes.append("by the record in \(set.parent)")
        } else {
            let members = try await store.membersOfAllKinds()
            if members.isEmpty {
                let (intents, problems) = try await intents(in: session)
                source = .role(intents)
                findings.notes.append("there is no record \(set.parent), so it is what \(role) would apply now")
                findings.warnings += problems
            } else {
                source = .label(Set(members.map { GroupKind($0.reference) }))
                findings.notes.append("the record \(set.parent) is gone, so it is what carries the label of \(role)")
            }
        }
        clusters.append((session, source))
        let objects = try await objects(in: session, source)
        try await RemovalGuard(client: client, set: guarded(source), advice: RemovalAdvice.advice)
            .refuseLosses(with: objects, of: role, isUpgrade: false)
        try await RemovalGuard(client: client, set: guarded(source)).refuseSilentServices(
            objects.filter { Removal.Stage($0.reference) == .namespaces })
        findings.stages.formUnion(objects.map { Removal.Stage($0.reference) })
        findings.warnings += try await LosingServices(client: client).warnings(removing: objects)
        if objects.isEmpty, !findings.hasRecord { findings.notes.append("there is nothing to remove") }
        if !objects.isEmpty {
            findings.notes.append("\(objects.count) object\(objects.count == 1 ? "" : "s") to remove")
        }
    }

    /// The set whose label must still be on what goes; none where no label leads to it.
    private nonisolated func guarded(_ source: Source) -> ApplySet? { if case .role = source { nil } else { set } }

    /// What the role would apply now, as far as that can be told without a run, and what cannot.
    private func intents(in session: ClusterSession) async throws -> ([Intent], [String]) {
        var intents: [Intent] = []
        var problems = unknown.map(\.message)
        for call in calls {
            guard try await call.session() === session else { continue }
            do {
                guard let own = try call.intents(defaultNamespace: session.client.kubeconfig.namespace) else {
                    problems.append("its manifest would have to be downloaded: \(call.call["src"]?.string ?? "")")
                    continue
                }
                let known = Set(intents.map(\.reference))
                intents += own.filter { !known.contains($0.reference) }
            } catch let error as any DiagnosticError {
                problems += error.diagnostics.map(\.message)
            }
        }
        guard !problems.isEmpty else { return (intents, []) }
        return (
            intents,
            problems.map { "not all that \(role) would apply is known, so some of it may be left: \($0)" }
                + ["`labctl plan \(role)` fetches what the role needs; then remove finds all of it"]
        )
    }

    private func objects(in session: ClusterSession, _ source: Source) async throws -> [LiveObject] {
        let store = ApplySetStore(client: session.client, set: set)
        switch source {
        case .record(let scope): return try await store.members(scope.groupKinds)
        case .label(let kinds): return try await store.members(kinds)
        case .role(let intents): return try await store.existing(intents)
        }
    }

    // MARK: Removing

    /// Objects of one cluster that go together.
    struct Work: Sendable {
        let session: ClusterSession
        let objects: [LiveObject]
    }

    func plan(_ stage: Removal.Stage) async throws -> [Work] {
        var found: [Work] = []
        for (session, source) in clusters {
            let objects = try await objects(in: session, source).filter { Removal.Stage($0.reference) == stage }
            if !objects.isEmpty { found.append(Work(session: session, objects: objects)) }
        }
        return found
    }

    func remove(_ work: [Work], progress: @escaping @Sendable (String) -> Void) async throws {
        for work in work {
            guard let source = clusters.first(where: { $0.session === work.session })?.source else { continue }
            try await Removal(
                client: work.session.client, set: guarded(source), timeout: timeout, progress: progress
            ).run(work.objects)
        }
    }

    /// The clusters that still have a record.
    func records() async throws -> [ClusterSession] {
        var found: [ClusterSession] = []
        for (session, _) in clusters
        where try await ApplySetStore(client: session.client, set: set).parent() != nil { found.append(session) }
        return found
    }

    func forget(_ sessions: [ClusterSession]) async throws {
        for session in sessions { _ = try await ApplySetStore(client: session.client, set: set).forget() }
    }

    nonisolated var parent: ObjectReference { ApplySet(role: role).parent }

    /// An object that goes, for the report.
    nonisolated func change(_ object: LiveObject) -> Change {
        guard showsFields else { return Change(.delete, "\(object.reference)") }
        let hidden: Set<String> = ["apiVersion", "kind", "metadata", "status"]
        let isSecret = object.reference.kind == "Secret"
        let fields = (object.object.map ?? [:]).filter { !hidden.contains($0.key) }.map { key, value in
            Change.Field(".\(key)", before: isSecret ? "<secret>" : value, after: nil)
        }
        return Change(.delete, "\(object.reference)", fields: fields)
    }
}

/// The steps of a removal, in their order; each is planned, applied and planned again.
package struct RemovalStep: Module {
    /// Which step it is: the look, one of the stages, or the end of the role's record.
    package enum Kind: Sendable, Hashable {
        case look
        case stage(Removal.Stage)
        case record

        /// All steps: the look comes first.
        package static let all: [Kind] = [.look] + Removal.Stage.allCases.map { .stage($0) } + [.record]

        package var title: String {
            switch self {
            case .look: "Objects looked for"
            case .stage(.customResources): "Custom resources removed"
            case .stage(.webhooks): "Webhooks removed"
            case .stage(.workloads): "Workloads removed"
            case .stage(.configuration): "Configuration removed"
            case .stage(.definitions): "CRDs removed"
            case .stage(.namespaces): "Namespaces removed"
            case .record: "Record removed"
            }
        }
    }

    package static let name = "labctl.remove"
    package let specification = ModuleSpecification(RemovalStep.name, parameters: [])
    private let removal: RoleRemoval
    private let kind: Kind

    package init(_ kind: Kind, of removal: RoleRemoval) {
        self.kind = kind
        self.removal = removal
    }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        try await translatingErrors {
            switch kind {
            case .look: return Plan(.readOnly)
            case .stage(let stage):
                let work = try await removal.plan(stage)
                guard !work.isEmpty else { return Plan(.nothing) }
                return Plan(.changes(work.flatMap(\.objects).map { removal.change($0) }), payload: work)
            case .record:
                let sessions = try await removal.records()
                guard !sessions.isEmpty else { return Plan(.nothing) }
                return Plan(.changes(sessions.map { _ in Change(.delete, "\(removal.parent)") }), payload: sessions)
            }
        }
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await translatingErrors {
            switch kind {
            case .look:
                let findings = try await removal.find()
                return ModuleResult(
                    changed: false, values: ["stages": .list(findings.steps.map { .string($0.title) })],
                    notes: findings.notes, warnings: findings.warnings)
            case .stage:
                let work = plan.payload as? [RoleRemoval.Work] ?? []
                try await removal.remove(work, progress: context.progress)
            case .record:
                try await removal.forget(plan.payload as? [ClusterSession] ?? [])
            }
            return ModuleResult(changed: true)
        }
    }
}

extension RoleRemoval.Findings {
    /// The steps that have something to do.
    fileprivate var steps: [RemovalStep.Kind] {
        stages.sorted().map { .stage($0) } + (hasRecord ? [.record] : [])
    }
}
