import LabCore

/// Brings a list of objects to the cluster by server-side apply: looks, says what differs, applies that and no more.
///
/// An object is as wanted when its dry run answers with what is there, who owns the fields included.
package struct ApplyEngine: Sendable {
    /// How many requests are under way at once; API servers take 100 streams of a connection as a rule.
    static let concurrency = 48
    /// How often an object is looked at again because somebody wrote while it was looked at.
    static let maximumLooks = 5

    package let client: KubeClient
    package let settings: ApplySettings
    package let progress: @Sendable (String) -> Void

    package init(
        client: KubeClient, settings: ApplySettings, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.client = client
        self.settings = settings
        self.progress = progress
    }

    /// Says what applying the intents would change; reads only.
    ///
    /// - Parameters:
    ///   - expected: What will be there by then from earlier in the run, besides what the list itself brings.
    ///   - known: What was there a moment ago; it spares requests and need not be true any more.
    /// - Throws: `KubeError` with a diagnostic for each object that cannot be applied.
    package func plan(
        _ intents: [Intent], expected: ExpectedObjects = ExpectedObjects(), known: KnownObjects = KnownObjects()
    ) async throws -> ApplyPlan {
        var expected = expected
        expected.formUnion(ExpectedObjects(broughtBy: intents.map(\.object)))
        let coming = expected
        let seen = await listed(intents, expected: coming, known: known)
        let looked = try await concurrently(intents, limit: Self.concurrency) { intent in
            do {
                return Result<ApplyItem, KubeError>.success(
                    try await examine(intent, expected: coming, known: seen[intent.reference]))
            } catch let error as KubeError {
                return .failure(error)
            }
        }
        var items: [ApplyItem] = []
        var errors: [KubeError] = []
        for result in looked {
            switch result {
            case .success(let item): items.append(item)
            // A link that is down fails every request; once is enough.
            case .failure(let error):
                if !errors.contains(where: { $0.diagnostics == error.diagnostics }) { errors.append(error) }
            }
        }
        if let error = KubeError(merging: errors) { throw error }
        return ApplyPlan(items: items)
    }

    /// The live objects of the intents, in their order; nil for those that do not exist or whose kind is not served.
    ///
    /// - Throws: `KubeError`.
    package func live(_ intents: [Intent]) async throws -> [Value?] {
        try await concurrently(intents, limit: Self.concurrency) { intent -> Value? in
            let reference = intent.reference
            guard
                let resource = try await client.discovery.find(
                    apiVersion: reference.apiVersion, kind: reference.kind, refresh: false)
            else { return nil }
            do {
                return try await client.get(
                    resource, namespace: resource.isNamespaced ? reference.namespace : nil, name: reference.name)
            } catch let error as KubeError where error.kind == .unknownKind {
                return nil
            }
        }
    }

    /// The resource of an intent, and the intent in its namespace or none; nil when its kind is still to come.
    ///
    /// - Throws: `KubeError` of kind `unknownKind`.
    func resolve(
        _ intent: Intent, expected: ExpectedObjects
    ) async throws -> (intent: Intent, resource: APIResource)? {
        let reference = intent.reference
        let resource: APIResource
        if let brought = expected.resource(apiVersion: reference.apiVersion, kind: reference.kind) {
            resource = brought
        } else {
            resource = try await client.discovery.resource(
                apiVersion: reference.apiVersion, kind: reference.kind, span: intent.span(of: .keys("kind")))
        }
        guard !resource.isNamespaced else { return (intent, resource) }
        var intent = intent
        intent.reference = ObjectReference(
            apiVersion: reference.apiVersion, kind: reference.kind, namespace: nil, name: reference.name)
        intent.object = intent.object.removing(.keys("metadata", "namespace"))
        return (intent, resource)
    }

    /// Sends an object, or its dry run, by the method that is set.
    func write(
        _ object: Value, _ intent: Intent, _ resource: APIResource, live: Value?, dryRun: Bool, force: Bool? = nil
    ) async throws -> KubeClient.WriteResult {
        let manager = settings.fieldManager
        let reference = intent.reference
        switch settings.method {
        case .serverSide(let isForced):
            return try await client.apply(
                object, resource, reference: reference, fieldManager: manager, force: force ?? isForced,
                dryRun: dryRun, span: intent.span)
        case .merge, .replace:
            guard let live else {
                return try await client.create(
                    object, resource, reference: reference, fieldManager: manager, dryRun: dryRun,
                    validation: settings.fieldValidation, span: intent.span)
            }
            if settings.method == .merge {
                return try await client.merge(
                    object, resource, reference: reference, fieldManager: manager, dryRun: dryRun,
                    validation: settings.fieldValidation, span: intent.span)
            }
            var object = object
            if var metadata = object["metadata"] {
                metadata["resourceVersion"] = live[["metadata", "resourceVersion"]]
                object["metadata"] = metadata
            }
            return try await client.replace(
                object, resource, reference: reference, fieldManager: manager, dryRun: dryRun,
                validation: settings.fieldValidation, span: intent.span)
        }
    }

    // MARK: Judging

    func item(_ intent: Intent, _ resource: APIResource, _ look: Look) -> ApplyItem {
        guard let live = look.live else {
            guard let result = look.result else { return ApplyItem(intent, .skip, resource: resource) }
            return ApplyItem(
                intent, .create, resource: resource, result: result, changes: created(intent.object), kept: look.kept)
        }
        guard let result = look.result else {
            return ApplyItem(intent, .unchanged, resource: resource, live: live, kept: look.kept)
        }
        if look.migration == nil, FieldDiff.isSame(live, result) || (!isOwning && !FieldDiff.differs(live, result)) {
            return ApplyItem(intent, .unchanged, resource: resource, live: live, result: result, kept: look.kept)
        }
        var changes = FieldDiff.changes(from: live, to: result)
        let taken = look.migration.map { Set($0.takenManagers) } ?? []
        if let migration = look.migration { changes += migration.removals(look.abandoned, live: live) }
        if changes.isEmpty, look.migration == nil { changes = adopted(live, result) }
        return ApplyItem(
            intent, .update, resource: resource, live: live, result: result, changes: changes, kept: look.kept,
            takeovers: takeovers(live, result, except: taken), migrated: look.migration?.managers ?? [])
    }

    /// Whether who owns the fields is part of what is wanted: server-side apply records it, a patch does not.
    private var isOwning: Bool { if case .serverSide = settings.method { true } else { false } }

    /// A new object's own parts, without what only names it.
    private func created(_ object: Value) -> [FieldChange] {
        let naming: Value = [
            "apiVersion": object["apiVersion"] ?? .null, "kind": object["kind"] ?? .null,
            "metadata": [
                "name": object[["metadata", "name"]] ?? .null, "namespace": object[["metadata", "namespace"]] ?? .null,
            ],
        ]
        return FieldDiff.changes(from: naming, to: object).filter { $0.after != nil }
    }

    /// The fields that keep their values but get us as an owner.
    private func adopted(_ live: Value, _ result: Value) -> [FieldChange] {
        func own(_ object: Value) -> Set<FieldPath> {
            ManagedFields(of: object).entries.filter { $0.manager == settings.fieldManager && $0.operation == "Apply" }
                .reduce(into: []) { $0.formUnion(ManagedFields.leaves(of: $1.fields)) }
        }
        let before = own(live).count
        let after = own(result).count
        return [
            FieldChange(
                path: ".metadata.managedFields", before: .string("\(settings.fieldManager) owns \(before) fields"),
                after: .string("\(settings.fieldManager) owns \(after) fields"))
        ]
    }

    /// What other managers own now and would not own afterwards.
    private func takeovers(_ live: Value, _ result: Value, except migrated: Set<String>) -> [Takeover] {
        let after = ManagedFields(of: result).entries
        var found: [Takeover] = []
        for entry in ManagedFields(of: live).entries
        where entry.manager != settings.fieldManager && !migrated.contains(entry.manager) {
            let rest = after.first {
                $0.manager == entry.manager && $0.operation == entry.operation && $0.subresource == entry.subresource
            }
            let lost = ManagedFields.leaves(of: entry.fields).subtracting(
                rest.map { ManagedFields.leaves(of: $0.fields) } ?? [])
            found += lost.map { Takeover(manager: entry.manager, path: $0.description) }
        }
        return found.sorted { ($0.manager, $0.path) < ($1.manager, $1.path) }
    }

    func migration(_ live: Value?) -> Migration? {
        guard case .serverSide(let force) = settings.method, let live else { return nil }
        return Migration(live: live, fieldManager: settings.fieldManager, takesServerSide: force)
    }

    func mayKeep(_ object: Value) -> Bool { settings.keepsFields && KeptFields.mayApply(to: object) }

    func keep(_ object: Value, _ reference: ObjectReference, live: Value) -> KeptFields {
        KeptFields(
            object, reference: reference, live: live,
            own: Migration.ownManagers(
                live: live, fieldManager: settings.fieldManager, takesServerSide: settings.isForced))
    }
}

extension Result where Failure == any Error {
    /// What a body gives or throws.
    static func capture(_ body: () async throws -> Success) async -> Result {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

/// Maps the items with a limited number of tasks at once, and keeps their order.
func concurrently<Item: Sendable, Output: Sendable>(
    _ items: [Item], limit: Int, _ transform: @escaping @Sendable (Item) async throws -> Output
) async throws -> [Output] {
    try await withThrowingTaskGroup(of: (Int, Output).self) { group in
        var next = 0
        var outputs = [Output?](repeating: nil, count: items.count)
        func add() {
            guard next < items.count else { return }
            let index = next
            next += 1
            group.addTask { (index, try await transform(items[index])) }
        }
        for _ in 0..<min(limit, items.count) { add() }
        while let (index, output) = try await group.next() {
            outputs[index] = output
            add()
        }
        return outputs.compactMap { $0 }
    }
}
