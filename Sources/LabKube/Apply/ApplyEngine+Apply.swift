import LabCore

extension ApplyEngine {
    /// Carries out a plan: stage by stage, the objects of a stage at once, each tried again while what it needs comes up.
    /// New CustomResourceDefinitions are established at its end.
    ///
    /// - Throws: `KubeError` with a diagnostic for each object of the first stage that failed, and a note of what was
    ///   done before.
    package func apply(
        _ plan: ApplyPlan, expected: ExpectedObjects = ExpectedObjects()
    ) async throws -> [AppliedObject] {
        try await begin(plan, expected: expected).established()
    }

    /// As `apply`, but the server may still be taking in new definitions: whoever calls waits for `established`.
    ///
    /// - Throws: as `apply`.
    package func begin(_ plan: ApplyPlan, expected: ExpectedObjects = ExpectedObjects()) async throws -> ApplyProgress {
        var expected = expected
        expected.formUnion(ExpectedObjects(broughtBy: plan.items.map(\.intent.object)))
        var applied = [AppliedObject?](repeating: nil, count: plan.items.count)
        var establishing: ApplyProgress.Establishing?
        do {
            for (stage, indices) in ApplyStage.grouped(plan.items.map(\.reference)) {
                // Only custom resources need the definitions; all else goes on meanwhile.
                if stage == .customResources, let task = establishing {
                    try await Self.take(task, into: &applied)
                    establishing = nil
                }
                let changing = indices.filter { plan.items[$0].isChange }
                for index in indices where !plan.items[index].isChange {
                    applied[index] = AppliedObject(item: plan.items[index], object: plan.items[index].live, kept: [])
                }
                guard !changing.isEmpty else { continue }
                try await apply(changing, of: plan, expected: expected, into: &applied)
                if stage == .foundations { establishing = establish(applied) }
            }
        } catch {
            establishing?.cancel()
            throw (error as? KubeError).map { Self.told($0, applied) } ?? error
        }
        return ApplyProgress(applied: applied, establishing: establishing)
    }

    /// Applies the objects of one stage.
    private func apply(
        _ indices: [Int], of plan: ApplyPlan, expected: ExpectedObjects, into applied: inout [AppliedObject?]
    ) async throws {
        let results = try await concurrently(indices, limit: Self.concurrency) { index in
            do {
                return Result<AppliedObject, KubeError>.success(try await apply(plan.items[index], expected: expected))
            } catch let error as KubeError {
                return .failure(error)
            }
        }
        var errors: [KubeError] = []
        for (index, result) in zip(indices, results) {
            switch result {
            case .success(let object): applied[index] = object
            case .failure(let error): errors.append(error)
            }
        }
        if let error = KubeError(merging: errors) { throw error }
    }

    /// Waits for definitions that are under way, and notes how they are then.
    fileprivate static func take(
        _ establishing: ApplyProgress.Establishing, into applied: inout [AppliedObject?]
    ) async throws {
        let definitions = try await withTaskCancellationHandler {
            try await establishing.value
        } onCancel: {
            establishing.cancel()
        }
        for (index, object) in definitions {
            guard let before = applied[index], let object else { continue }
            applied[index] = AppliedObject(item: before.item, object: object, kept: before.kept)
        }
    }

    /// An error with a note of what had been changed before it.
    fileprivate static func told(_ error: KubeError, _ applied: [AppliedObject?]) -> KubeError {
        let done = applied.compactMap { $0 }.filter(\.item.isChange).map { "\($0.item.reference)" }
        guard !done.isEmpty, var first = error.diagnostics.first else { return error }
        let shown = done.prefix(5).joined(separator: ", ") + (done.count > 5 ? " and \(done.count - 5) more" : "")
        first.notes.append(Diagnostic.Note("applied before that: \(shown)"))
        return KubeError(error.kind, diagnostics: [first] + error.diagnostics.dropFirst(), status: error.status)
    }

    /// Begins to wait until new CustomResourceDefinitions are established; nil where there are none. What kinds were
    /// served before is forgotten then.
    private func establish(_ applied: [AppliedObject?]) -> ApplyProgress.Establishing? {
        var indices: [Int] = []
        var targets: [(resource: APIResource, reference: ObjectReference)] = []
        for (index, object) in applied.enumerated() {
            guard let object, object.item.isChange, let resource = object.item.resource,
                object.item.reference.kind == "CustomResourceDefinition"
            else { continue }
            indices.append(index)
            targets.append((resource, object.item.reference))
        }
        guard !indices.isEmpty else { return nil }
        let seen = indices.map { applied[$0]?.object }
        let wait = ReadinessWait(client: client, timeout: settings.gateTimeout, progress: progress)
        return Task { [indices, targets] in
            let found = try await wait.wait(for: targets, seen: seen)
            await client.discovery.invalidate()
            return zip(indices, found).map { (index: $0, object: $1) }
        }
    }

    // MARK: One object

    /// Applies one object. While it fails for a passing reason it is tried again, as a dry run first: that is the gate
    /// for custom resources, whose webhook may answer long after its Deployment is ready (ground truth, section 0.2).
    private func apply(_ item: ApplyItem, expected: ExpectedObjects) async throws -> AppliedObject {
        let deadline = ContinuousClock.now + settings.gateTimeout
        var isGated = false
        var tries = 0
        while true {
            do {
                let (result, kept) = try await attempt(item, expected: expected, dryRun: isGated)
                if !isGated { return AppliedObject(item: item, object: result, kept: kept) }
                isGated = false
            } catch let error as KubeError {
                tries += 1
                guard mayPass(error, item, expected, tries: tries) else {
                    throw await explained(error, item.intent, item.resource)
                }
                guard ContinuousClock.now < deadline else {
                    throw await timedOut(error, item.intent)
                }
                isGated = error.kind != .race
                if tries > 1 || error.kind != .race {
                    progress("waiting for \(item.reference): \(passingReason(error))")
                }
                try await Task.sleep(for: .milliseconds(min(1000, 50 * tries)))
            }
        }
    }

    /// Whether an error may go away by waiting.
    private func mayPass(_ error: KubeError, _ item: ApplyItem, _ expected: ExpectedObjects, tries: Int) -> Bool {
        switch error.kind {
        // Somebody wrote at the same time: they will not go on for ever.
        case .race: return tries <= 20
        case .unreachable: return true
        case .unknownKind:
            return expected.resource(apiVersion: item.reference.apiVersion, kind: item.reference.kind) != nil
        case .notFound:
            return item.reference.namespace.map { expected.namespaces.contains($0) } ?? false
        default: return error.isTransient
        }
    }

    private func attempt(
        _ item: ApplyItem, expected: ExpectedObjects, dryRun: Bool
    ) async throws -> (object: Value, kept: [String]) {
        var intent = item.intent
        let resource: APIResource
        if let known = item.resource {
            resource = known
        } else {
            guard let resolved = try await resolve(intent, expected: expected) else {
                throw KubeError(.unknownKind, "the cluster serves no kind \(intent.reference.kind)")
            }
            (intent, resource) = resolved
        }
        let reference = intent.reference
        guard case .serverSide = settings.method else {
            let live = try await client.get(resource, namespace: reference.namespace, name: reference.name)
            let result = try await write(intent.object, intent, resource, live: live, dryRun: dryRun)
            return (result.object, [])
        }
        let mayKeep = mayKeep(intent.object)
        guard mayKeep || !item.migrated.isEmpty else {
            let result = try await write(intent.object, intent, resource, live: item.live, dryRun: dryRun)
            return (result.object, [])
        }
        // Controllers may have written since the plan: look again, and have the server refuse what is still older.
        guard var live = try await client.get(resource, namespace: reference.namespace, name: reference.name) else {
            let result = try await write(intent.object, intent, resource, live: nil, dryRun: dryRun)
            return (result.object, [])
        }
        if let migration = migration(live), !dryRun {
            live = try await client.patch(
                migration.patch(of: live), resource, reference: reference, fieldManager: settings.fieldManager
            ).object
        }
        let kept = mayKeep ? keep(intent.object, reference, live: live) : nil
        var object = kept?.object ?? intent.object
        if mayKeep, var metadata = object["metadata"] {
            metadata["resourceVersion"] = live[["metadata", "resourceVersion"]]
            object["metadata"] = metadata
        }
        let result = try await write(object, intent, resource, live: live, dryRun: dryRun)
        return (result.object, kept?.notes ?? [])
    }

    private func passingReason(_ error: KubeError) -> String {
        switch error.kind {
        case .webhookUnavailable: webhookReason(error)
        case .unknownKind: "its kind is not served yet"
        case .unreachable, .lost: "the API server does not answer"
        case .race: "somebody else writes it at the same time"
        default: error.message
        }
    }

    private func timedOut(_ error: KubeError, _ intent: Intent) async -> KubeError {
        var notes = [Diagnostic.Note("the last answer: \(error.status?.message ?? error.message)")]
        if error.kind == .webhookUnavailable {
            notes += await Explanation(client: client).notes(aboutWebhook: error.status?.message ?? "")
                .map { Diagnostic.Note($0) }
        }
        return KubeError(
            error.kind, "cannot apply \(intent.reference): \(passingReason(error)), after \(settings.gateTimeout.text)",
            span: intent.span, notes: notes, status: error.status)
    }
}

/// What an apply has done, while the server may still be taking in new CustomResourceDefinitions.
package struct ApplyProgress: Sendable {
    typealias Establishing = Task<[(index: Int, object: Value?)], any Error>

    fileprivate let applied: [AppliedObject?]
    fileprivate let establishing: Establishing?

    /// What was applied, in the order of the plan, as the server answered.
    package var objects: [AppliedObject] { applied.compactMap(\.self) }

    /// Waits until the definitions are established, and gives everything as it is then.
    ///
    /// - Throws: `KubeError` of kind `notReady`, with a note of what was applied; `CancellationError`.
    @discardableResult
    package func established() async throws -> [AppliedObject] {
        guard let establishing else { return objects }
        var applied = applied
        do {
            try await ApplyEngine.take(establishing, into: &applied)
        } catch let error as KubeError {
            throw ApplyEngine.told(error, applied)
        }
        return applied.compactMap(\.self)
    }

    /// Waits no more.
    package func abandon() { establishing?.cancel() }
}
