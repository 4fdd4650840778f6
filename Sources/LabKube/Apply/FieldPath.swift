import LabCore

/// A way into an object, in the API's own notation: `.spec.ports[0].port`, `.webhooks[name="x"].clientConfig`.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    /// One step deeper into an object: into a map by key, or into a list.
    package enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
        /// The element of a list whose fields have these values, as in `[name="speaker"]`.
        case element([String: Value])
    }

    package var steps: [Step]

    package init(_ steps: [Step] = []) { self.steps = steps }

    /// The path through these keys of maps.
    package static func keys(_ names: String...) -> FieldPath { FieldPath(names.map { .key($0) }) }

    /// The path that goes one step further.
    package func appending(_ step: Step) -> FieldPath { FieldPath(steps + [step]) }

    /// Whether it leads to one of the fields by which an element of a list is found.
    var isKeyOfElement: Bool {
        guard case .key(let name)? = steps.last, case .element(let fields)? = steps.dropLast().last else {
            return false
        }
        return fields[name] != nil
    }

    package var description: String {
        steps.map { step in
            switch step {
            case .key(let name):
                // Names with dots are quoted by nobody, but are unreadable unquoted.
                name.contains(".") ? "[\"\(name)\"]" : ".\(name)"
            case .index(let index): "[\(index)]"
            case .element(let fields):
                "["
                    + fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.json())" }.joined(separator: ",")
                    + "]"
            }
        }.joined()
    }

    /// Reads a path as API servers write it in their errors, with or without the dot at its start.
    package init(parsing text: some StringProtocol) {
        var steps: [Step] = []
        var rest = text[...]
        while let first = rest.first {
            if first == "[" {
                let end = rest.firstIndex(of: "]") ?? rest.endIndex
                let inside = rest[rest.index(after: rest.startIndex)..<end]
                steps.append(Self.bracketStep(inside))
                rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
                continue
            }
            if first == "." { rest = rest.dropFirst() }
            let name = rest.prefix { $0 != "." && $0 != "[" }
            guard !name.isEmpty else { break }
            steps.append(.key(String(name)))
            rest = rest.dropFirst(name.count)
        }
        self.steps = steps
    }

    private static func bracketStep(_ text: some StringProtocol) -> Step {
        if let index = Int(text) { return .index(index) }
        var fields: [String: Value] = [:]
        for pair in text.split(separator: ",") {
            guard let equals = pair.firstIndex(of: "=") else { continue }
            let value = String(pair[pair.index(after: equals)...])
            fields[String(pair[..<equals])] = (try? Value(json: value)) ?? .string(value)
        }
        if fields.isEmpty {
            return .key(String(text.filter { $0 != "\"" }))
        }
        return .element(fields)
    }
}

extension Value {
    /// What the path leads to, or nil where a step is missing.
    package subscript(field path: FieldPath) -> Value? {
        var current = self
        for step in path.steps {
            guard let next = current.child(step) else { return nil }
            current = next
        }
        return current
    }

    private func child(_ step: FieldPath.Step) -> Value? {
        switch step {
        case .key(let key): return self[key]
        case .index(let index):
            guard let list, list.indices.contains(index) else { return nil }
            return list[index]
        case .element(let fields): return list?.first { $0.matches(fields) }
        }
    }

    /// Whether a list's element is the one with these key fields.
    ///
    /// An empty key stands for the element itself: sets of scalars are keyed by their values.
    func matches(_ fields: [String: Value]) -> Bool {
        fields.allSatisfy { $0.key.isEmpty ? self == $0.value : self[$0.key] == $0.value }
    }

    /// The value without what the path leads to.
    package func removing(_ path: FieldPath) -> Value { removing(path.steps[...]) }

    private func removing(_ steps: ArraySlice<FieldPath.Step>) -> Value {
        guard let step = steps.first else { return self }
        let rest = steps.dropFirst()
        switch (self, step) {
        case (.map(var entries), .key(let key)):
            guard let child = entries[key] else { return self }
            // Not a conditional expression: there, nil would be the value null.
            if rest.isEmpty { entries[key] = nil } else { entries[key] = child.removing(rest) }
            return .map(entries)
        case (.list(var items), .index(let index)) where items.indices.contains(index):
            if rest.isEmpty { items.remove(at: index) } else { items[index] = items[index].removing(rest) }
            return .list(items)
        case (.list(var items), .element(let fields)):
            guard let index = items.firstIndex(where: { $0.matches(fields) }) else { return self }
            if rest.isEmpty { items.remove(at: index) } else { items[index] = items[index].removing(rest) }
            return .list(items)
        default: return self
        }
    }
}

extension SourceValue {
    /// Where a field was written: its key if the whole path was found, else the last value on the way to it.
    func span(of path: FieldPath) -> SourceSpan? {
        var current = self
        var found = span
        for step in path.steps {
            switch step {
            case .key(let key):
                guard let entry = current.entries?.first(where: { $0.key == key }) else { return found }
                found = entry.keySpan ?? entry.value.span ?? found
                current = entry.value
            case .index(let index):
                guard let list = current.list, list.indices.contains(index) else { return found }
                current = list[index]
                found = current.span ?? found
            case .element(let fields):
                guard let next = current.list?.first(where: { $0.value.matches(fields) }) else { return found }
                current = next
                found = current.span ?? found
            }
        }
        return found
    }

    /// The first string in the value (depth first) that is exactly `text`.
    func span(ofString text: String) -> SourceSpan? {
        switch content {
        case .string(let value): return value == text ? span : nil
        case .list(let values):
            for value in values { if let span = value.span(ofString: text) { return span } }
            return nil
        case .map(let entries):
            for entry in entries { if let span = entry.value.span(ofString: text) { return span } }
            return nil
        default: return nil
        }
    }
}
