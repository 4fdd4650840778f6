import LabCore

/// A Kubernetes label selector (`matchLabels`, `matchExpressions`), judged as apimachinery's `LabelSelectorAsSelector`
/// does: an empty one matches everything.
package struct LabelSelector: Sendable, Hashable {
    private let object: Value

    package init(_ object: Value) { self.object = object }

    /// Whether an object with these labels is selected. An expression that is no valid one selects nothing.
    package func matches(_ labels: ValueMap) -> Bool {
        for (key, value) in object["matchLabels"]?.map ?? [:] where labels[key] != value { return false }
        return (object["matchExpressions"]?.list ?? []).allSatisfy { matches($0, labels) }
    }

    private func matches(_ expression: Value, _ labels: ValueMap) -> Bool {
        guard let key = expression["key"]?.string else { return false }
        let values = expression["values"]?.list ?? []
        switch expression["operator"]?.string {
        case "In": return labels[key].map(values.contains) ?? false
        case "NotIn": return labels[key].map { !values.contains($0) } ?? true
        case "Exists": return labels[key] != nil
        case "DoesNotExist": return labels[key] == nil
        default: return false
        }
    }
}
