import LabCore
import LabKube
import LabTransport

/// One `k8s` task: its objects and how they are to be brought to the cluster.
struct K8sTask: Sendable {
    private let call: ModuleCall
    private let context: ModuleContext
    private let session: ClusterSession
    private let intents: [Intent]
    private let settings: ApplySettings
    private let wait: WaitSettings
    /// The set that the objects become members of.
    private let roleSet: RoleSet?
    /// What the role keeps, where the call has objects of it that do not become members.
    private let keeper: RoleSet?

    init(_ call: ModuleCall, context: ModuleContext, environment: [String: String]) async throws {
        self.call = call
        self.context = context
        let brings = ApplyCall.brings(call)
        if brings, let set = context.roleSet { await set.inventory.begin(set.call, context.taskName) }
        settings = try Self.settings(call)
        wait = try WaitSettings(call)
        let progress = context.progress
        let source = ManifestSource(
            call: call, localFile: { try context.localFile($0, span: $1) }, renderFile: context.renderFile)
        let manifests = try await source.manifests { url, span in
            try await Downloader(environment: environment, progress: progress)
                .text(Downloader.Request(url, span: span))
        }
        session = try await ClusterLogin(call: call, context: context).session()
        let intents = try Intents.read(
            manifests, defaultNamespace: call["namespace"]?.string ?? session.client.kubeconfig.namespace,
            keepsNulls: settings.method == .merge)
        if brings, case .serverSide = settings.method, let set = context.roleSet {
            roleSet = set
            keeper = nil
            self.intents = try set.inventory.set.labelled(intents)
        } else {
            roleSet = nil
            keeper = brings ? context.roleSet : nil
            self.intents = intents
        }
    }

    /// The method and its settings, as kubernetes.core's parameters say.
    private static func settings(_ call: ModuleCall) throws -> ApplySettings {
        var settings = ApplySettings()
        let serverSide = call["server_side_apply"]
        if call["apply"] == true || serverSide != nil {
            // Plain `apply` overwrites, as client-side apply does; `server_side_apply` says itself whether it may.
            settings.method = .serverSide(force: try serverSide.map { try forces($0, call) } ?? true)
            if let manager = serverSide?["field_manager"]?.string, !manager.isEmpty { settings.fieldManager = manager }
            for key in serverSide?.map?.keys ?? [] where !["field_manager", "force_conflicts"].contains(key) {
                let entry = call.source["server_side_apply"]?.entries?.first { $0.key == key }
                throw ModuleError(
                    "server_side_apply has no '\(key)'", span: entry?.keySpan ?? entry?.value.span ?? call.span,
                    hint: nearestName(to: key, among: ["field_manager", "force_conflicts"]).map {
                        "did you mean '\($0)'?"
                    },
                    failureClass: .input)
            }
        } else {
            settings.method = call["force"] == true ? .replace : .merge
        }
        settings.createsMissing = call["state"] != "patched"
        if settings.createsMissing == false, case .serverSide = settings.method { settings.method = .merge }
        if let validation = call["validate"] {
            let fails = validation["fail_on_error"].map(truth) ?? false
            settings.fieldValidation = fails && (validation["strict"].map(truth) ?? true) ? .strict : .warn
        }
        return settings
    }

    private static func forces(_ serverSide: Value, _ call: ModuleCall) throws -> Bool {
        guard let value = serverSide["force_conflicts"], !value.isNull else { return false }
        guard case .success(.bool(let flag)) = ModuleSpecification.Parameter("force_conflicts", .bool).convert(value)
        else {
            throw ModuleError(
                "force_conflicts must be a boolean, not \(value.json())",
                span: call.source["server_side_apply"]?["force_conflicts"]?.span ?? call.span, failureClass: .input)
        }
        return flag
    }

    // MARK: Applying

    struct ApplyWork: Sendable {
        fileprivate let plan: ApplyPlan
        fileprivate let task: K8sTask

        func run(context: ModuleContext) async throws -> ModuleResult { try await task.apply(plan) }
    }

    func planApply() async throws -> Plan {
        let engine = ApplyEngine(client: session.client, settings: settings, progress: context.progress)
        let plan = try await planned(by: engine)
        // A task that is only checked fails while the webhook does not answer: that is what it asks (`until`).
        if context.checkMode, let item = plan.items.first(where: \.isWebhookMissing),
            case .unchecked(let why) = item.action
        {
            throw ModuleError("\(item.reference) cannot be checked: \(why)", span: item.intent.span, isTransient: true)
        }
        await session.expect(intents.map(\.object))
        if plan.isEmpty {
            let objects = try await waitUntilReady(plan.items.map { ($0.resource, $0.reference, $0.live) })
            return Plan(
                .nothing, values: values(objects), notes: plan.notes, warnings: await session.takeWarnings())
        }
        return Plan(
            .changes(plan.items.filter(\.isChange).map { Change($0) }),
            values: values(plan.items.map { $0.result ?? $0.live }),
            notes: plan.notes, warnings: await session.takeWarnings(), payload: ApplyWork(plan: plan, task: self))
    }

    /// The engine's plan; for members of a set also what the set has to say of it.
    private func planned(by engine: ApplyEngine) async throws -> ApplyPlan {
        // The plan that proves an apply is made while the server takes in what the apply has defined.
        let latest = await session.takeLatest()
        let plan: ApplyPlan
        do {
            plan = try await looked(by: engine, known: KnownObjects(latest?.objects ?? []))
        } catch {
            latest?.abandon()
            throw error
        }
        try await latest?.established()
        return plan
    }

    private func looked(by engine: ApplyEngine, known: KnownObjects) async throws -> ApplyPlan {
        let expected = await session.expectedObjects
        guard let roleSet else {
            let plan = try await engine.plan(intents, expected: expected, known: known)
            if call["state"] != "absent" { await session.noteWanted(plan) }
            if let keeper { await keeper.inventory.keep(plan, of: keeper.call, in: session) }
            return plan
        }
        let plan: ApplyPlan
        do {
            plan = try await engine.plan(intents, expected: expected, known: known)
        } catch let error as KubeError where error.kind == .fieldConflict {
            // Whose set it is says more than whose field.
            try await refuseMembersOfOthers(zip(intents, engine.live(intents)).map { ($0, $1) })
            throw error
        }
        try await refuseMembersOfOthers(plan.items.map { ($0.intent, $0.live) })
        try await roleSet.refuseLosses(of: plan, in: session)
        await session.noteWanted(plan)
        await roleSet.inventory.note(plan, of: roleSet.call, in: session, isCheck: context.checkMode)
        return plan
    }

    private func refuseMembersOfOthers(_ objects: [(intent: Intent, live: Value?)]) async throws {
        guard let roleSet else { return }
        try await ApplySetStore(client: session.client, set: roleSet.inventory.set).refuseMembersOfOthers(
            objects.compactMap { object in object.live.map { (object.intent, $0) } })
    }

    private func apply(_ plan: ApplyPlan) async throws -> ModuleResult {
        try await roleSet?.inventory.record(in: session)
        let engine = ApplyEngine(client: session.client, settings: settings, progress: context.progress)
        let progress = try await engine.begin(plan, expected: await session.expectedObjects)
        await session.note(progress)
        let applied = progress.objects
        var objects = applied.map(\.object)
        if wait.isWanted {
            do {
                objects = try await waitUntilReady(applied.map { ($0.item.resource, $0.item.reference, $0.object) })
            } catch {
                // No plan follows that would wait for it.
                await session.takeLatest()?.abandon()
                throw error
            }
        }
        return ModuleResult(
            changed: true, values: values(objects), changes: plan.items.filter(\.isChange).map { Change($0) },
            notes: applied.flatMap {
                $0.item.notes(done: true) + $0.kept.filter { [kept = $0.item.kept] in !kept.contains($0) }
            },
            warnings: await session.takeWarnings())
    }

    /// Waits where the task says so; objects that are ready already cost nothing.
    private func waitUntilReady(
        _ objects: [(resource: APIResource?, reference: ObjectReference, live: Value?)]
    ) async throws -> [Value?] {
        guard wait.isWanted, !context.checkMode else { return objects.map(\.live) }
        let waiting = ReadinessWait(
            client: session.client, condition: wait.condition, timeout: wait.timeout, pollInterval: wait.interval,
            progress: context.progress)
        var result = objects.map(\.live)
        let unready = objects.indices.filter { !wait.condition.judge(objects[$0].live).isReady }
        let resolved = try await withResources(unready.map { objects[$0] })
        let found = try await waiting.wait(for: resolved, seen: unready.map { objects[$0].live })
        for (index, object) in zip(unready, found) { result[index] = object }
        return result
    }

    private func withResources(
        _ objects: [(resource: APIResource?, reference: ObjectReference, live: Value?)]
    ) async throws -> [(resource: APIResource, reference: ObjectReference)] {
        var resolved: [(resource: APIResource, reference: ObjectReference)] = []
        for object in objects {
            if let resource = object.resource {
                resolved.append((resource, object.reference))
            } else {
                let reference = object.reference
                resolved.append(
                    (
                        try await session.client.discovery.resource(
                            apiVersion: reference.apiVersion, kind: reference.kind), reference
                    ))
            }
        }
        return resolved
    }

    /// kubernetes.core's return values: one object as `result`, several as `result.results`.
    private func values(_ objects: [Value?]) -> ValueMap {
        let shown = objects.map { $0 ?? [:] }
        if shown.count == 1, let only = shown.first { return ["result": only] }
        return ["result": ["results": .list(shown.map { ["result": $0] })]]
    }

    // MARK: Deleting

    struct DeleteWork: Sendable {
        fileprivate let deletion: Deletion
        fileprivate let present: [Deletion.Target]

        func run() async throws -> ModuleResult {
            try await deletion.run(present)
            return ModuleResult(
                changed: true, values: ["result": [:]], changes: present.map { Change(.delete, "\($0.reference)") })
        }
    }

    func planDeletion() async throws -> Plan {
        let options = call["delete_options"]?.map ?? [:]
        let deletion = Deletion(
            client: session.client, options: options, timeout: wait.timeout, progress: context.progress)
        let present = try await deletion.present(intents)
        guard !present.isEmpty else { return Plan(.nothing, values: ["result": [:]]) }
        return Plan(
            .changes(present.map { Change(.delete, "\($0.reference)") }), values: ["result": [:]],
            payload: DeleteWork(deletion: deletion, present: present))
    }
}

/// How a task waits (`wait`, `wait_timeout`, `wait_sleep`, `wait_condition`).
struct WaitSettings: Sendable {
    let isWanted: Bool
    let condition: WaitCondition
    let timeout: Duration
    let interval: Duration

    init(_ call: ModuleCall) throws {
        isWanted = call["wait"] == true
        timeout = .seconds(call["wait_timeout"]?.int ?? 120)
        interval = .seconds(max(1, call["wait_sleep"]?.int ?? 5))
        guard let wanted = call["wait_condition"], !wanted.isNull else {
            condition = .ready
            return
        }
        guard let type = wanted["type"]?.string else {
            throw ModuleError(
                "wait_condition needs the type of a condition", span: call.source["wait_condition"]?.span ?? call.span,
                failureClass: .input)
        }
        // YAML reads an unquoted True as a boolean.
        let status: String =
            switch wanted["status"] {
            case .bool(let flag): flag ? "True" : "False"
            case .string(let text): text
            default: "True"
            }
        condition = .condition(type: type, status: status, reason: wanted["reason"]?.string)
    }
}

/// A boolean that a map parameter holds, as Ansible reads it.
func truth(_ value: Value) -> Bool {
    switch value {
    case .bool(let flag): flag
    case .int(let number): number == 1
    case .string(let text): ["yes", "true", "on", "1", "y", "t"].contains(text.lowercased())
    default: false
    }
}

extension Change {
    /// What an apply would do with one object, for the report.
    init(_ item: ApplyItem) {
        let action: Action = item.action == .create || (item.live == nil && item.isChange) ? .create : .update
        self.init(
            action, "\(item.reference)",
            fields: item.changes.map { Field($0.path, before: $0.before, after: $0.after, owner: $0.owner) })
    }
}

extension ApplyItem {
    /// Whether the object could not be looked at because a webhook does not answer.
    var isWebhookMissing: Bool { if case .unchecked(let why) = action { why.contains("webhook") } else { false } }
}
