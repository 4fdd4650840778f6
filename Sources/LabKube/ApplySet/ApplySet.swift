import Crypto
import LabCore

/// A set of objects that belong together, recorded in the cluster so that what no longer belongs can be found and removed.
///
/// It follows kubectl's ApplySet specification (KEP-3659, kubectl pkg/cmd/apply/applyset.go): every member carries the label
/// `applyset.kubernetes.io/part-of`, and a parent object says which kinds and namespaces have members.
package struct ApplySet: Sendable, Hashable {
    /// On members; its value is the set's id.
    package static let partOfLabel = "applyset.kubernetes.io/part-of"
    /// On the parent; its value is the set's id.
    static let idLabel = "applyset.kubernetes.io/id"
    static let toolingAnnotation = "applyset.kubernetes.io/tooling"
    static let groupKindsAnnotation = "applyset.kubernetes.io/contains-group-kinds"
    static let namespacesAnnotation = "applyset.kubernetes.io/additional-namespaces"
    /// `NAME/VERSION` of who manages the set; other tools leave it alone. The version is that of the record's form and
    /// not labctl's, so that a new labctl has nothing to write.
    static let tooling = "labctl/v1"
    /// kubectl's convention: the tool's name and `-applyset`.
    static let fieldManager = "labctl-applyset"
    /// The namespace of the parent: it is there in every cluster and cannot be deleted, so that the record outlives what
    /// it records, the namespaces of the members included.
    static let parentNamespace = "kube-system"

    /// The role's name, for people.
    package let role: String
    /// Where the record is: a ConfigMap, as there is nothing secret in it.
    package let parent: ObjectReference

    package init(role: String) {
        self.role = role
        let name = role.lowercased().map { character in
            character.isASCII && (character.isLetter || character.isNumber || character == ".") ? character : "-"
        }
        parent = ObjectReference(
            apiVersion: "v1", kind: "ConfigMap", namespace: Self.parentNamespace,
            name: "labctl-" + Self.withoutTrailingSigns(String(name)))
    }

    /// An object's name ends in a letter or a digit.
    private static func withoutTrailingSigns(_ name: String) -> String {
        var name = name
        while let last = name.last, last == "-" || last == "." { name.removeLast() }
        return name
    }

    /// `applyset-<base64url(sha256(NAME.NAMESPACE.KIND.GROUP))>-v1`, of the parent object.
    package var id: String {
        let text = "\(parent.name).\(parent.namespace ?? "").\(parent.kind).\(parent.group)"
        return "applyset-\(Self.base64URL(SHA256.hash(data: Array(text.utf8))))-v1"
    }

    package var selector: String { "\(Self.partOfLabel)=\(id)" }

    /// Base64 in the alphabet for URLs, without padding (RFC 4648, section 5).
    private static func base64URL(_ bytes: some Sequence<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        var rest: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            rest = rest << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(rest >> bits & 63)])
            }
            rest &= (1 << bits) - 1
        }
        if bits > 0 { text.append(alphabet[Int(rest << (6 - bits) & 63)]) }
        return text
    }

    /// The set that an object says it belongs to.
    package static func id(of object: Value) -> String? { object[["metadata", "labels", partOfLabel]]?.string }

    /// The intents as members of the set.
    ///
    /// - Throws: `KubeError` of kind `input` for an object that names a set itself.
    package func labelled(_ intents: [Intent]) throws(KubeError) -> [Intent] {
        let path = FieldPath.keys("metadata", "labels", Self.partOfLabel)
        let mistakes = intents.filter { $0.object[field: path] != nil }.map { intent in
            Diagnostic(
                "\(intent.reference) has the label \(Self.partOfLabel), which labctl sets itself",
                span: intent.span(of: path), hint: "leave the label out")
        }
        guard mistakes.isEmpty else { throw KubeError(.input, diagnostics: mistakes) }
        return intents.map { intent in
            var intent = intent
            var metadata = intent.object["metadata"]?.map ?? [:]
            var labels = metadata["labels"]?.map ?? [:]
            labels[Self.partOfLabel] = .string(id)
            metadata["labels"] = .map(labels)
            intent.object["metadata"] = .map(metadata)
            return intent
        }
    }
}

/// A kind without a version: `Deployment.apps`, `Secret`.
package struct GroupKind: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let group: String
    package let kind: String

    package init(group: String, kind: String) {
        self.group = group
        self.kind = kind
    }

    package init(_ reference: ObjectReference) { self.init(group: reference.group, kind: reference.kind) }

    /// Reads `KIND.GROUP` or `KIND`.
    init(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1)
        self.init(group: parts.count > 1 ? String(parts[1]) : "", kind: parts.isEmpty ? "" : String(parts[0]))
    }

    package var description: String { group.isEmpty ? kind : "\(kind).\(group)" }

    package static func < (a: GroupKind, b: GroupKind) -> Bool { a.description < b.description }
}

/// An object whatever the version is under which it is read.
package struct ObjectIdentity: Sendable, Hashable {
    package let groupKind: GroupKind
    package let namespace: String?
    package let name: String

    package init(_ reference: ObjectReference) {
        groupKind = GroupKind(reference)
        namespace = reference.namespace
        name = reference.name
    }
}

/// Which kinds and namespaces have members of a set: what its parent object holds.
package struct ApplySetScope: Sendable, Hashable {
    package var groupKinds: Set<GroupKind>
    package var namespaces: Set<String>

    package init(groupKinds: Set<GroupKind> = [], namespaces: Set<String> = []) {
        self.groupKinds = groupKinds
        self.namespaces = namespaces
    }

    package init(of references: some Sequence<ObjectReference>) {
        self.init()
        for reference in references {
            groupKinds.insert(GroupKind(reference))
            if let namespace = reference.namespace { namespaces.insert(namespace) }
        }
    }

    /// The kinds and namespaces of both.
    package func union(_ other: ApplySetScope) -> ApplySetScope {
        ApplySetScope(
            groupKinds: groupKinds.union(other.groupKinds), namespaces: namespaces.union(other.namespaces))
    }

    /// Whether all kinds and all namespaces of the other are among these.
    package func contains(_ other: ApplySetScope) -> Bool {
        groupKinds.isSuperset(of: other.groupKinds) && namespaces.isSuperset(of: other.namespaces)
    }
}

/// The parent object of a set as it is in the cluster.
package struct ApplySetParent: Sendable {
    package let scope: ApplySetScope
    let live: Value

    /// Reads the parent.
    ///
    /// - Throws: `KubeError` of kind `refused` when the object is another tool's, or another role's.
    init(_ live: Value, of set: ApplySet) throws(KubeError) {
        let annotations = live[["metadata", "annotations"]]?.map ?? [:]
        let hint = "rename the role, or remove \(set.parent) if nobody needs it"
        guard let tooling = annotations[ApplySet.toolingAnnotation]?.string else {
            throw KubeError(
                .refused, "\(set.parent), where labctl records the objects of \(set.role), is somebody else's object",
                notes: [Diagnostic.Note("it has no annotation \(ApplySet.toolingAnnotation)")], hint: hint)
        }
        let tool = tooling.split(separator: "/").first.map(String.init) ?? tooling
        guard tool == "labctl" else {
            throw KubeError(
                .refused, "\(set.parent), where labctl records the objects of \(set.role), is managed by \(tool)",
                hint: hint)
        }
        let id = live[["metadata", "labels", ApplySet.idLabel]]?.string
        guard id == nil || id == set.id else {
            throw KubeError(
                .refused, "\(set.parent) has another id than the set of \(set.role)",
                notes: [Diagnostic.Note("\(id ?? "") instead of \(set.id)")], hint: hint)
        }
        if let role = live[["data", "role"]]?.string, role != set.role {
            throw KubeError(
                .refused,
                "\(set.parent) records the objects of the role \(role), so those of \(set.role) cannot go there",
                hint: "rename one of the two roles: their names differ only in signs that an object's name cannot have")
        }
        scope = ApplySetScope(
            groupKinds: Set(Self.list(annotations[ApplySet.groupKindsAnnotation]).map { GroupKind($0) }),
            namespaces: Set(Self.list(annotations[ApplySet.namespacesAnnotation])))
        self.live = live
    }

    private static func list(_ value: Value?) -> [String] {
        (value?.string ?? "").split(separator: ",").map(String.init)
    }

    /// The parent as it is to be, with kubectl's sorted lists.
    static func object(of set: ApplySet, scope: ApplySetScope, resourceVersion: Value?) -> Value {
        let kinds = scope.groupKinds.sorted().map(\.description).joined(separator: ",")
        let namespaces = scope.namespaces.subtracting([ApplySet.parentNamespace]).sorted().joined(separator: ",")
        var metadata: ValueMap = [
            "name": .string(set.parent.name), "namespace": .string(ApplySet.parentNamespace),
            "labels": [ApplySet.idLabel: .string(set.id)],
            "annotations": [
                ApplySet.toolingAnnotation: .string(ApplySet.tooling),
                ApplySet.groupKindsAnnotation: .string(kinds), ApplySet.namespacesAnnotation: .string(namespaces),
            ],
        ]
        metadata["resourceVersion"] = resourceVersion
        return [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": .map(metadata), "data": ["role": .string(set.role)],
        ]
    }
}
