import LabCore

extension ApplyEngine {
    /// An error of the server about an object, told with the place in the user's file that it is about.
    func explained(_ error: KubeError, _ intent: Intent, _ resource: APIResource?) async -> KubeError {
        guard let status = error.status else { return error }
        switch error.kind {
        case .fieldConflict: return await conflict(status, intent, resource)
        case .schema: return await schemaMistakes(status, intent, resource)
        case .denied: return denial(status, intent)
        case .invalid: return invalid(status, intent)
        case .notFound:
            guard let namespace = intent.reference.namespace, status.message.hasPrefix("namespaces \"\(namespace)\"")
            else { return error }
            return KubeError(
                .notFound, "\(intent.reference) cannot be applied: there is no namespace \(namespace)",
                span: intent.span(of: .keys("metadata", "namespace")), hint: "create the namespace first",
                status: status)
        default: return error
        }
    }

    /// Other managers own fields with other values: who and which, and what they have.
    private func conflict(_ status: APIStatus, _ intent: Intent, _ resource: APIResource?) async -> KubeError {
        var live: Value?
        if let resource {
            live = try? await client.get(
                resource, namespace: intent.reference.namespace, name: intent.reference.name)
        }
        var managers: [String] = []
        var notes: [Diagnostic.Note] = []
        for cause in status.fieldConflicts {
            let manager = quoted(in: cause.message).first ?? cause.message
            if !managers.contains(manager) { managers.append(manager) }
            let path = FieldPath(parsing: cause.field)
            let isHidden = intent.reference.kind == "Secret"
            let values: String
            if !isHidden, let theirs = live?[field: path], let ours = intent.object[field: path] {
                values = ": \(short(theirs)) there, \(short(ours)) wanted"
            } else {
                values = ""
            }
            notes.append(Diagnostic.Note("\(manager) owns \(cause.field)\(values)", span: intent.span(of: path)))
        }
        let fields =
            status.fieldConflicts.count == 1 ? status.fieldConflicts[0].field : "\(status.fieldConflicts.count) fields"
        return KubeError(
            .fieldConflict,
            "\(intent.reference) is not applied: \(managers.joined(separator: " and ")) \(managers.count > 1 ? "own" : "owns") \(fields)",
            span: status.fieldConflicts.first.flatMap { intent.span(of: FieldPath(parsing: $0.field)) } ?? intent.span,
            notes: notes,
            hint: "leave the fields out of the manifest, or take them over with force_conflicts: true", status: status)
    }

    /// Fields that the schema does not have (always a 500; ground truth, section 6), with the nearest name.
    private func schemaMistakes(_ status: APIStatus, _ intent: Intent, _ resource: APIResource?) async -> KubeError {
        var diagnostics: [Diagnostic] = []
        for match in status.message.matches(of: /(\.[^\s:]+): ([^\n]+)/) {
            let path = FieldPath(parsing: match.output.1)
            let isUnknown = match.output.2 == "field not declared in schema"
            var hint: String?
            if isUnknown, case .key(let name)? = path.steps.last {
                let parent = FieldPath(Array(path.steps.dropLast()))
                let names = await schemaNames(of: parent, resource)
                hint = nearestName(to: name, among: names).map { "did you mean \($0)?" }
            }
            diagnostics.append(
                Diagnostic(
                    isUnknown
                        ? "\(intent.reference.kind) has no field \(match.output.1)"
                        : "\(match.output.1) of \(intent.reference) is wrong: \(match.output.2)",
                    span: intent.span(of: path) ?? intent.span, hint: hint))
        }
        guard !diagnostics.isEmpty else {
            return KubeError(status, action: "apply \(intent.reference)", span: intent.span)
        }
        return KubeError(.schema, diagnostics: diagnostics, status: status)
    }

    /// The names of the fields at a path, from the schema of a CustomResourceDefinition; empty for other kinds.
    private func schemaNames(of path: FieldPath, _ resource: APIResource?) async -> [String] {
        guard let resource, !resource.group.isEmpty,
            let definitions = BuiltInResources.find(
                apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition"),
            let definition = try? await client.get(
                definitions, namespace: nil, name: "\(resource.plural).\(resource.group)"),
            let version = definition[["spec", "versions"]]?.list?.first(where: {
                $0["name"]?.string == resource.version
            }), var schema = version[["schema", "openAPIV3Schema"]]
        else { return [] }
        for step in path.steps {
            switch step {
            case .key(let name):
                guard let next = schema[["properties", name]] ?? schema["additionalProperties"] else { return [] }
                schema = next
            case .index, .element:
                guard let next = schema["items"] else { return [] }
                schema = next
            }
        }
        return schema["properties"]?.map.map { Array($0.keys) } ?? []
    }

    /// An admission webhook says no: its own sentence, and the value that it quotes, where the file has it.
    private func denial(_ status: APIStatus, _ intent: Intent) -> KubeError {
        let message = status.message
        let webhook = message.firstMatch(of: /admission webhook "([^"]+)" denied the request: ?/)
        let said = webhook.map { String(message[$0.range.upperBound...]) } ?? message
        let span = quoted(in: said).lazy.compactMap { intent.source?.span(ofString: $0) }.first ?? intent.span
        return KubeError(
            .denied, "\(intent.reference) is refused: \(said)", span: span,
            notes: webhook.map { [Diagnostic.Note("by the webhook \($0.output.1)")] } ?? [], status: status)
    }

    private func invalid(_ status: APIStatus, _ intent: Intent) -> KubeError {
        guard !status.causes.isEmpty else {
            return KubeError(
                .invalid, "\(intent.reference) is invalid: \(status.message)", span: intent.span, status: status)
        }
        return KubeError(
            .invalid,
            diagnostics: status.causes.map { cause in
                Diagnostic(
                    "\(intent.reference) is invalid: \(cause.field.isEmpty ? "" : "\(cause.field): ")\(cause.message)",
                    span: intent.span(of: FieldPath(parsing: cause.field)) ?? intent.span)
            }, status: status)
    }

    private func short(_ value: Value) -> String {
        let text = value.json()
        return text.count > 60 ? "\(text.prefix(57))..." : text
    }

    /// The texts in double quotes of a sentence.
    private func quoted(in text: String) -> [String] {
        text.matches(of: /"([^"]+)"/).map { String($0.output.1) }
    }
}
