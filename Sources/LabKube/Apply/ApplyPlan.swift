import LabCore

/// How objects are brought to the cluster.
package struct ApplySettings: Sendable {
    /// By which of the API's ways an object is written.
    package enum Method: Sendable, Hashable {
        /// Server-side apply; with force, fields are taken from other managers.
        case serverSide(force: Bool)
        /// A merge into what is there (`kubectl patch`), created when missing: kubernetes.core's default.
        case merge
        /// Replaced whole (`force: true` of kubernetes.core).
        case replace
    }

    package var method: Method
    package var fieldManager: String
    /// How long an apply is tried again while webhooks do not answer or kinds are not served yet.
    package var gateTimeout: Duration
    /// Whether objects that do not exist are created.
    package var createsMissing: Bool
    /// Whether fields that controllers overwrite are left to them (`KeptFields`).
    package var keepsFields: Bool
    /// What happens with fields that the schema does not have, where objects are not applied server-side.
    package var fieldValidation: FieldValidation = .warn

    /// The API's `fieldValidation` parameter.
    package enum FieldValidation: String, Sendable, Hashable { case strict = "Strict", warn = "Warn" }

    package init(
        method: Method = .serverSide(force: false), fieldManager: String = "labctl",
        gateTimeout: Duration = .seconds(180), createsMissing: Bool = true, keepsFields: Bool = true
    ) {
        self.keepsFields = keepsFields
        self.method = method
        self.fieldManager = fieldManager
        self.gateTimeout = gateTimeout
        self.createsMissing = createsMissing
    }

    var isForced: Bool { method == .serverSide(force: true) }
}

/// What will be there before an object is applied, though it is not there yet: from the same list, or from earlier in the run.
package struct ExpectedObjects: Sendable, Hashable {
    package var namespaces: Set<String>
    /// The kinds of CustomResourceDefinitions.
    package var resources: Set<APIResource>

    package init(namespaces: Set<String> = [], resources: Set<APIResource> = []) {
        self.namespaces = namespaces
        self.resources = resources
    }

    /// What a list of objects brings itself.
    package init(broughtBy objects: some Sequence<Value>) {
        self.init()
        for object in objects {
            switch object["kind"]?.string {
            case "Namespace": if let name = object[["metadata", "name"]]?.string { namespaces.insert(name) }
            case "CustomResourceDefinition":
                guard let group = object[["spec", "group"]]?.string,
                    let kind = object[["spec", "names", "kind"]]?.string,
                    let plural = object[["spec", "names", "plural"]]?.string
                else { continue }
                for version in object[["spec", "versions"]]?.list ?? [] {
                    guard let name = version["name"]?.string else { continue }
                    resources.insert(
                        APIResource(
                            group: group, version: name, kind: kind, plural: plural,
                            isNamespaced: object[["spec", "scope"]]?.string == "Namespaced"))
                }
            default: break
            }
        }
    }

    /// Adds what another list of objects will bring.
    package mutating func formUnion(_ other: ExpectedObjects) {
        namespaces.formUnion(other.namespaces)
        resources.formUnion(other.resources)
    }

    func resource(apiVersion: String, kind: String) -> APIResource? {
        resources.first { $0.apiVersion == apiVersion && $0.kind == kind }
    }
}

/// A field that an apply takes from another manager.
package struct Takeover: Sendable, Hashable {
    package let manager: String
    package let path: String
}

/// What an apply would do with one object.
package struct ApplyItem: Sendable {
    /// What would happen to the object.
    package enum Action: Sendable, Hashable {
        case unchanged
        case create
        case update
        /// It does not exist, and is only to be changed where it does.
        case skip
        /// The server cannot say before something else is there; the text says what.
        case unchecked(String)
    }

    package let intent: Intent
    package let action: Action
    /// nil while the kind is not served.
    package let resource: APIResource?
    package let live: Value?
    /// The object as it would be.
    package let result: Value?
    package let changes: [FieldChange]
    /// Fields that are left to controllers, as sentences.
    package let kept: [String]
    package let takeovers: [Takeover]
    /// The kubectl managers whose fields become ours.
    package let migrated: [String]

    package var reference: ObjectReference { intent.reference }
    package var isChange: Bool { action != .unchanged && action != .skip }

    init(
        _ intent: Intent, _ action: Action, resource: APIResource?, live: Value? = nil, result: Value? = nil,
        changes: [FieldChange] = [], kept: [String] = [], takeovers: [Takeover] = [], migrated: [String] = []
    ) {
        self.intent = intent
        self.action = action
        self.resource = resource
        self.live = live
        self.result = result
        self.changes = changes
        self.kept = kept
        self.takeovers = takeovers
        self.migrated = migrated
    }

    /// Sentences for the report; `done` says them of something that has happened.
    package func notes(done: Bool) -> [String] {
        var notes = kept
        for (manager, fields) in Dictionary(grouping: takeovers, by: \.manager).sorted(by: { $0.key < $1.key }) {
            let paths = fields.map(\.path).sorted()
            let shown =
                paths.prefix(5).joined(separator: ", ") + (paths.count > 5 ? " and \(paths.count - 5) more" : "")
            notes.append("\(done ? "took" : "takes") \(shown) of \(reference) from \(manager)")
        }
        if !migrated.isEmpty {
            notes.append(
                "\(done ? "took" : "takes") over what \(migrated.joined(separator: " and ")) set in \(reference)")
        }
        return notes
    }
}

/// What an apply would do.
package struct ApplyPlan: Sendable {
    package let items: [ApplyItem]
    package var isEmpty: Bool { !items.contains(where: \.isChange) }
    package var notes: [String] { items.flatMap { $0.notes(done: false) } + uncheckedNotes }

    /// One sentence for all objects that cannot be checked for the same reason.
    private var uncheckedNotes: [String] {
        var reasons: [(reason: String, objects: [ObjectReference])] = []
        for item in items {
            guard case .unchecked(let reason) = item.action else { continue }
            if let index = reasons.firstIndex(where: { $0.reason == reason }) {
                reasons[index].objects.append(item.reference)
            } else {
                reasons.append((reason, [item.reference]))
            }
        }
        return reasons.map { reason, objects in
            objects.count == 1
                ? "\(objects[0]) is not checkable yet: \(reason)"
                : "\(objects.count) objects are not checkable yet: of each, \(reason)"
        }
    }
}

/// What an apply did with one object.
package struct AppliedObject: Sendable {
    package let item: ApplyItem
    /// The object as the server has it now.
    package let object: Value?
    /// Fields that were left to controllers by the apply itself.
    package let kept: [String]
}
