import LabCore

/// What a path of the API names.
struct APITarget: Sendable {
    var groupVersion: GroupVersion
    var namespace: String?
    var plural: String
    var name: String?
    var subresource: String?

    /// Reads `/api/v1/…` and `/apis/<group>/<version>/…`; nil for everything else, and for a bare group version.
    init?(path: String) {
        var parts = path.split(separator: "/").map { String($0) }[...]
        switch parts.popFirst() {
        case "api":
            guard let version = parts.popFirst() else { return nil }
            groupVersion = GroupVersion(group: "", version: version)
        case "apis":
            guard let group = parts.popFirst(), let version = parts.popFirst() else { return nil }
            groupVersion = GroupVersion(group: group, version: version)
        default: return nil
        }
        guard let first = parts.popFirst() else { return nil }
        plural = first
        if first == "namespaces", parts.count >= 2, !["status", "finalize"].contains(parts.dropFirst().first) {
            namespace = parts.popFirst()
            plural = parts.popFirst() ?? ""
        }
        name = parts.popFirst()
        subresource = parts.popFirst()
        if !parts.isEmpty { subresource = ([subresource ?? ""] + parts).joined(separator: "/") }
        if plural == "namespaces", groupVersion.group.isEmpty { namespace = name }
    }
}
