import LabCore

/// A set of paths: what a manager owns (structured-merge-diff's `fieldpath.Set`).
package struct FieldSet: Sendable, Hashable {
    /// The paths of one element that belong to the set.
    package private(set) var members: Set<PathElement> = []
    /// The longer paths by their first element; no child is empty.
    package private(set) var children: [PathElement: FieldSet] = [:]

    package init() {}

    package var isEmpty: Bool { members.isEmpty && children.isEmpty }

    /// Adds a path; an empty one adds nothing.
    package mutating func insert(_ path: some Collection<PathElement>) {
        guard let first = path.first else { return }
        if path.count == 1 {
            members.insert(first)
        } else {
            children[first, default: FieldSet()].insert(path.dropFirst())
        }
    }

    /// Takes one path out, and leaves the longer ones that go on below it.
    package mutating func remove(_ path: some Collection<PathElement>) {
        guard let first = path.first else { return }
        if path.count == 1 {
            members.remove(first)
        } else if var child = children[first] {
            child.remove(path.dropFirst())
            children[first] = child.isEmpty ? nil : child
        }
    }

    /// Whether the path of this one element belongs to the set.
    package func contains(_ element: PathElement) -> Bool { members.contains(element) }

    /// The paths that go on below `element`.
    package func below(_ element: PathElement) -> FieldSet { children[element] ?? FieldSet() }

    /// The paths that are in either set.
    package func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.members.formUnion(other.members)
        for (element, child) in other.children {
            result.children[element] = result.children[element].map { $0.union(child) } ?? child
        }
        return result
    }

    /// The paths that are in both sets.
    package func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet()
        result.members = members.intersection(other.members)
        for (element, child) in children {
            guard let otherChild = other.children[element] else { continue }
            let common = child.intersection(otherChild)
            if !common.isEmpty { result.children[element] = common }
        }
        return result
    }

    /// The paths of this set that are not in the other.
    package func subtracting(_ other: FieldSet) -> FieldSet {
        var result = FieldSet()
        result.members = members.subtracting(other.members)
        for (element, child) in children {
            let rest = other.children[element].map { child.subtracting($0) } ?? child
            if !rest.isEmpty { result.children[element] = rest }
        }
        return result
    }

    /// All paths of the set in their order.
    package var paths: [FieldPath] {
        var result: [FieldPath] = []
        collect(into: &result, prefix: [])
        return result
    }

    private func collect(into result: inout [FieldPath], prefix: FieldPath) {
        let elements = members.union(children.keys).sorted(by: PathElement.precedes)
        for element in elements {
            if members.contains(element) { result.append(prefix + [element]) }
            children[element]?.collect(into: &result, prefix: prefix + [element])
        }
    }

    /// The set with every declared field that has paths below it as a member itself, so that taking away all of its
    /// content takes the field away as well (structured-merge-diff's `EnsureNamedFieldsAreMembers`).
    package func withNamedFields(_ type: SchemaType) -> FieldSet {
        var result = FieldSet()
        result.members = members
        for (element, child) in children {
            if case .field(let name) = element, case .map(let map) = type, map.fields[name] != nil {
                result.members.insert(element)
            }
            result.children[element] = child.withNamedFields(type.child(element))
        }
        return result
    }
}

extension FieldSet {
    /// The set as FieldsV1.
    package var encoded: Value {
        var map = ValueMap()
        for element in members.union(children.keys).sorted(by: PathElement.precedes) {
            guard let child = children[element] else {
                map[element.encoded] = .map([:])
                continue
            }
            var content = ValueMap()
            if members.contains(element) { content["."] = .map([:]) }
            if case .map(let below) = child.encoded { content.merge(below) { _, last in last } }
            map[element.encoded] = .map(content)
        }
        return .map(map)
    }

    /// Reads FieldsV1; keys that are none are passed over.
    package init(encoded: Value) {
        for (key, value) in encoded.map ?? [:] {
            guard let element = PathElement(encoded: key) else { continue }
            let content = value.map ?? [:]
            if content.isEmpty || content["."] != nil { members.insert(element) }
            var rest = content
            rest["."] = nil
            let child = FieldSet(encoded: .map(rest))
            if !child.isEmpty { children[element] = child }
        }
    }
}
