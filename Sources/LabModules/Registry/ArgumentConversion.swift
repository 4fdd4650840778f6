import LabCore

extension ModuleSpecification {
    /// The name without its collection: `copy` of `ansible.builtin.copy`.
    package var shortName: String { name.split(separator: ".").last.map(String.init) ?? name }

    /// The parameter with that name or alias.
    package func parameter(named name: String) -> Parameter? {
        parameters.first { $0.name == name || $0.aliases.contains(name) }
    }

    /// Checks rendered arguments against the parameters and converts them as Ansible does: `"yes"` to true for a
    /// boolean, `"5"` to 5, a text with commas to a list. A null counts as not given; defaults are filled in.
    ///
    /// - Throws: `ModuleError` with every mistake that was found: unknown and missing parameters, values of a wrong
    ///   kind or not among the choices.
    package func convert(
        _ written: ValueMap, source: SourceValue? = nil, span: SourceSpan? = nil
    ) throws(ModuleError) -> ValueMap {
        var converted: ValueMap = [:]
        var mistakes: [Diagnostic] = []
        for (key, value) in written {
            let place = source?.entries?.first { $0.key == key }
            guard let parameter = parameter(named: key) else {
                if takesAnyParameter {
                    converted[key] = value
                } else {
                    mistakes.append(unknownParameter(key, span: place?.keySpan ?? span))
                }
                continue
            }
            if value.isNull && parameter.kind != .any { continue }
            switch parameter.convert(value) {
            case .success(let value):
                if let complaint = parameter.complaint(about: value) {
                    mistakes.append(Diagnostic(complaint, span: place?.value.span ?? span))
                }
                converted[parameter.name] = value
            case .failure(let mismatch):
                mistakes.append(self.mismatch(key, parameter, mismatch, span: place?.value.span ?? span))
            }
        }
        for parameter in parameters where converted[parameter.name] == nil {
            if parameter.isRequired {
                mistakes.append(Diagnostic("\(shortName) needs '\(parameter.name)'", span: span))
            } else if let value = parameter.defaultValue {
                converted[parameter.name] = value
            }
        }
        guard mistakes.isEmpty else { throw ModuleError(mistakes, failureClass: .input) }
        return converted
    }

    /// What is wrong with the kind of an argument that holds no template; nil when nothing is.
    package func mismatch(of argument: SourceValue.Entry) -> Diagnostic? {
        guard let parameter = parameter(named: argument.key), !argument.value.isNull,
            case .failure(let mismatch) = parameter.convert(argument.value.value)
        else { return nil }
        return self.mismatch(argument.key, parameter, mismatch, span: argument.value.span)
    }

    private func mismatch(
        _ key: String, _ parameter: Parameter, _ mismatch: ArgumentMismatch, span: SourceSpan?
    ) -> Diagnostic {
        Diagnostic(
            "'\(key)' of \(shortName) must be \(parameter.kind.description), not \(mismatch.found)", span: span)
    }

    /// What is told about a parameter that the module does not have.
    package func unknownParameter(_ name: String, span: SourceSpan?) -> Diagnostic {
        let known = parameters.flatMap { [$0.name] + $0.aliases }
        let hint =
            nearestName(to: name, among: known).map { "did you mean '\($0)'?" }
            ?? (known.isEmpty ? nil : "it has: \(parameters.map(\.name).joined(separator: ", "))")
        return Diagnostic("\(shortName) has no parameter '\(name)'", span: span, hint: hint)
    }
}

/// A value that cannot be converted to a parameter's kind; `found` names it.
package struct ArgumentMismatch: Error, Sendable {
    package let found: String
}

extension ModuleSpecification.Parameter {
    /// The value as the parameter's kind has it (ansible/module_utils/common/validation.py, `check_type_*`).
    package func convert(_ value: Value) -> Result<Value, ArgumentMismatch> {
        let converted: Value? =
            switch kind {
            case .any: value
            case .bool: Self.bool(value)
            case .int: Self.int(value)
            case .float: Self.float(value)
            case .string, .path: Self.string(value)
            case .list: Self.list(value)
            case .map: Self.map(value)
            }
        if let converted { return .success(converted) }
        let shown = value.string.map { "'\($0)'" } ?? value.typeName
        return .failure(ArgumentMismatch(found: shown))
    }

    /// Why a converted value is not allowed; nil when it is.
    fileprivate func complaint(about value: Value) -> String? {
        guard !choices.isEmpty else { return nil }
        let values = value.list ?? [value]
        guard let wrong = values.first(where: { !choices.contains(Self.text($0)) }) else { return nil }
        let listed = choices.joined(separator: ", ")
        let near = nearestName(to: Self.text(wrong), among: choices).map { "; did you mean '\($0)'?" } ?? ""
        return "'\(name)' must be one of \(listed), not '\(Self.text(wrong))'\(near)"
    }

    private static func bool(_ value: Value) -> Value? {
        switch value {
        case .bool: return value
        case .int(1): return true
        case .int(0): return false
        case .float(let number): return number == 1 ? true : number == 0 ? false : nil
        case .string(let text):
            switch text.lowercased().trimmingWhitespace() {
            case "yes", "on", "1", "true", "y", "t": return true
            case "no", "off", "0", "false", "n", "f": return false
            default: return nil
            }
        default: return nil
        }
    }

    private static func int(_ value: Value) -> Value? {
        switch value {
        case .int: value
        case .bool(let flag): .int(flag ? 1 : 0)
        case .float(let number): Int(exactly: number).map { .int($0) }
        case .string(let text): Int(text.trimmingWhitespace()).map { .int($0) }
        default: nil
        }
    }

    private static func float(_ value: Value) -> Value? {
        switch value {
        case .float: value
        case .int(let number): .float(Double(number))
        case .string(let text): Double(text.trimmingWhitespace()).map { .float($0) }
        default: nil
        }
    }

    private static func string(_ value: Value) -> Value? {
        switch value {
        case .string: value
        case .null: nil
        case .bool, .int, .float: .string(text(value))
        // Ansible writes Python's repr here; JSON is what the readers of such texts expect.
        case .list, .map: .string(value.json())
        }
    }

    private static func list(_ value: Value) -> Value? {
        switch value {
        case .list: value
        case .string(let text):
            .list(
                text.isEmpty
                    ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map { .string(String($0)) })
        case .int, .float, .bool: .list([.string(text(value))])
        default: nil
        }
    }

    private static func map(_ value: Value) -> Value? {
        switch value {
        case .map: return value
        case .string(let text):
            let trimmed = text.trimmingWhitespace()
            if trimmed.hasPrefix("{") {
                guard let parsed = try? Value(json: trimmed), parsed.map != nil else { return nil }
                return parsed
            }
            guard trimmed.contains("=") else { return nil }
            var entries: ValueMap = [:]
            for pair in trimmed.split(whereSeparator: { $0 == "," || $0 == " " }) {
                guard let equals = pair.firstIndex(of: "=") else { return nil }
                entries[String(pair[..<equals])] = .string(String(pair[pair.index(after: equals)...]))
            }
            return .map(entries)
        default: return nil
        }
    }

    /// A scalar as Python's `str` writes it.
    private static func text(_ value: Value) -> String {
        switch value {
        case .null: "None"
        case .bool(let flag): flag ? "True" : "False"
        case .int(let number): String(number)
        case .float(let number): String(number)
        case .string(let text): text
        case .list, .map: value.json()
        }
    }
}

extension ModuleSpecification.Parameter.Kind: CustomStringConvertible {
    /// As people read it in errors.
    package var description: String {
        switch self {
        case .string: "a string"
        case .path: "a path"
        case .int: "an integer"
        case .float: "a number"
        case .bool: "a boolean"
        case .list: "a list"
        case .map: "a map"
        case .any: "a value"
        }
    }
}
