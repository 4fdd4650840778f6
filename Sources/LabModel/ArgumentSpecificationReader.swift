import LabCore

/// Reads `argument_specs`.
struct ArgumentSpecificationReader {
    let role: String
    private(set) var collector = DiagnosticCollector()

    init(role: String) { self.role = role }

    /// What each entry point takes.
    mutating func read(_ source: SourceValue) -> [String: ArgumentSpecification] {
        guard let entries = source.entries else {
            collector.report("'argument_specs' is a map of entry points, not \(source.typeName)", span: source.span)
            return [:]
        }
        var specifications: [String: ArgumentSpecification] = [:]
        for entry in entries {
            if entry.value.isNull { continue }
            guard entry.value.entries != nil else {
                collector.report(
                    "the entry point '\(entry.key)' is a map, not \(entry.value.typeName)", span: entry.value.span)
                continue
            }
            specifications[entry.key] = ArgumentSpecification(
                role: role, entryPoint: entry.key, summary: entry.value["short_description"]?.string,
                options: options(entry.value["options"]))
        }
        return specifications
    }

    private mutating func options(_ source: SourceValue?) -> [ArgumentSpecification.Option] {
        guard let source, !source.isNull else { return [] }
        guard let entries = source.entries else {
            collector.report("'options' is a map, not \(source.typeName)", span: source.span)
            return []
        }
        return entries.compactMap { option($0) }
    }

    private static let keys: Set<String> = [
        "type", "elements", "required", "choices", "default", "description", "options", "aliases", "no_log",
        "version_added", "apply_defaults", "mutually_exclusive", "required_together", "required_one_of", "required_if",
        "required_by", "removed_in_version", "removed_at_date", "removed_from_collection", "deprecated_aliases",
    ]

    private mutating func option(_ entry: SourceValue.Entry) -> ArgumentSpecification.Option? {
        var option = ArgumentSpecification.Option(name: entry.key, span: entry.keySpan)
        if entry.value.isNull { return option }
        guard let settings = entry.value.entries else {
            collector.report(
                "the option '\(entry.key)' is a map, not \(entry.value.typeName)", span: entry.value.span)
            return nil
        }
        for setting in settings {
            let value = setting.value
            switch setting.key {
            case "type": if let kind = kind(value) { option.kind = kind }
            case "elements": option.elements = kind(value)
            case "required":
                option.isRequired = collector.attempt { try Templated<Bool>("required", value) }?.staticValue ?? false
            case "choices": option.choices = (value.list ?? [value]).map(\.value)
            case "default": option.defaultValue = value
            case "description":
                let parts = (value.list ?? [value]).compactMap { String(keyword: $0.value) }
                option.description = parts.isEmpty ? nil : parts.joined(separator: " ")
            case "aliases": option.aliases = (value.list ?? [value]).compactMap { String(keyword: $0.value) }
            case "options": option.options = options(value)
            default:
                if Self.keys.contains(setting.key) { continue }
                collector.report(
                    "an option has no '\(setting.key)'", span: setting.keySpan,
                    hint: nearestName(to: setting.key, among: Self.keys.sorted()).map { "did you mean '\($0)'?" })
            }
        }
        return option
    }

    private mutating func kind(_ value: SourceValue) -> ArgumentSpecification.Kind? {
        let text = value.string ?? value.value.brief
        if let kind = ArgumentSpecification.Kind(rawValue: text) { return kind }
        let names = ArgumentSpecification.Kind.allCases.map(\.rawValue)
        collector.report(
            "unknown type '\(text)'", span: value.span,
            notes: [Diagnostic.Note("the types: \(names.joined(separator: ", "))")],
            hint: nearestName(to: text, among: names).map { "did you mean '\($0)'?" })
        return nil
    }
}
