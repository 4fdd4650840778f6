import LabCore

extension ApplyEngine {
    /// Carries out a plan: stage by stage, the objects of a stage at once, each tried again while what it needs comes up.
    ///
    /// - Throws: `KubeError` with a diagnostic for each object of the first stage that failed, and a note of what was
    ///   done before.
    package func apply(
        _ plan: ApplyPlan, expected: ExpectedObjects = ExpectedObjects()
    ) async throws -> [AppliedObject] {
        var expected = expected
        expected.formUnion(ExpectedObjects(broughtBy: plan.items.map(\.intent.object)))
        let known = expected
        var applied = [AppliedObject?](repeating: nil, count: plan.items.count)
        for (stage, indices) in ApplyStage.grouped(plan.items.map(\.reference)) {
            let changing = indices.filter { plan.items[$0].isChange }
            for index in indices where !plan.items[index].isChange {
                applied[index] = AppliedObject(item: plan.items[index], object: plan.items[index].live, kept: [])
            }
            guard !changing.isEmpty else { continue }
            let results = try await concurrently(changing, limit: Self.concurrency) { index in
                do {
                    return Result<AppliedObject, KubeError>.success(
                        try await apply(plan.items[index], expected: known))
                } catch let error as KubeError {
                    return .failure(error)
                }
            }
            var errors: [KubeError] = []
            for (index, result) in zip(changing, results) {
                switch result {
                case .success(let object): applied[index] = object
                case .failure(let error): errors.append(error)
                }
            }
            if let error = KubeError(merging: errors) { throw told(error, applied) }
            if stage == .foundations { try await establish(changing.compactMap { applied[$0] }) }
        }
        return applied.compactMap { $0 }
    }

    /// An error with a note of what had been changed before it.
    private func told(_ error: KubeError, _ applied: [AppliedObject?]) -> KubeError {
        let done = applied.compactMap { $0 }.filter(\.item.isChange).map { "\($0.item.reference)" }
        guard !done.isEmpty, var first = error.diagnostics.first else { return error }
        let shown = done.prefix(5).joined(separator: ", ") + (done.count > 5 ? " and \(done.count - 5) more" : "")
        first.notes.append(Diagnostic.Note("applied before that: \(shown)"))
        return KubeError(error.kind, diagnostics: [first] + error.diagnostics.dropFirst(), status: error.status)
    }

    /// Waits until new CustomResourceDefinitions are established, and forgets what kinds were served before.
    private func establish(_ objects: [AppliedObject]) async throws {
        let definitions = objects.compactMap { object in
            object.item.resource.map { (resource: $0, reference: object.item.reference) }
        }.filter { $0.reference.kind == "CustomResourceDefinition" }
        guard !definitions.isEmpty else { return }
        let wait = ReadinessWait(client: client, timeout: settings.gateTimeout, progress: progress)
        _ = try await wait.wait(for: definitions)
        await client.discovery.invalidate()
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
