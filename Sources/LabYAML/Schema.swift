import LabCore

/// How scalars without a tag become values, and how lax the syntax is.
///
/// | | core | ansible | kubernetes |
/// |---|---|---|---|
/// | model | YAML 1.2.2, 10.3 | PyYAML 6 over libyaml, with Ansible's constructor | sigs.k8s.io/yaml (go-yaml 2) to JSON |
/// | booleans | true, false | and yes, no, on, off | and y, n |
/// | `0644` | 644 | 420 | 420 |
/// | `0o644` | 420 | a string | 420 |
/// | `1_000`, `1:30` | strings | 1000, 90 | 1000, a string |
/// | `1e3` | a float | a string | the integer 1000 |
/// | `<<` | a key | merges | merges |
///
/// Dates are strings under all of them: labctl has no date type, Ansible renders one as text and JSON has none.
package enum Schema: String, Sendable, CaseIterable {
    /// YAML 1.2.2, 10.3.
    case core
    /// What Ansible sees: the resolution of PyYAML (YAML 1.1).
    case ansible
    /// What kubectl sees: the resolution of sigs.k8s.io/yaml, whose numbers and keys have been through JSON.
    case kubernetes

    var dialect: Dialect { Dialect(isLax: self != .core, endIsBreak: self != .ansible) }

    /// Whether a plain `<<` merges maps into the one that it is a key of.
    var mergesMaps: Bool { self != .core }

    /// What a plain scalar without a tag stands for; nil for a string.
    package func resolve(_ text: UnsafeBufferPointer<UInt8>) -> Value? { resolve(text, isKey: false) }

    /// - Parameter isKey: keys become texts before JSON makes integers of floats without a fraction.
    func resolve(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) -> Value? {
        // Only these can start anything but a string: digits, signs, a dot, `~`, `<`, and the letters of the words.
        guard let first = text.first else { return .null }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), .dash, .dot:
            switch self {
            case .core: return CoreSchema.number(text)
            case .ansible: return PyYAMLSchema.number(text)
            case .kubernetes: return KubernetesSchema.number(text, isKey: isKey)
            }
        case UInt8(ascii: "~"):
            return text.count == 1 ? .null : nil
        default:
            guard text.count <= 5 else { return nil }
            switch first | 0x20 {
            case UInt8(ascii: "n"), UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "y"), UInt8(ascii: "o"):
                return word(text)
            default:
                return nil
            }
        }
    }

    /// What a plain scalar without a tag stands for; nil for a string.
    package func resolve(_ text: String) -> Value? {
        var text = text
        return text.withUTF8 { resolve($0) }
    }

    private func word(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        let word = String(decoding: text, as: UTF8.self)
        switch word {
        case "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        guard self != .core else { return nil }
        switch word {
        case "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        default: break
        }
        guard self == .kubernetes else { return nil }
        switch word {
        case "y", "Y": return .bool(true)
        case "n", "N": return .bool(false)
        default: return nil
        }
    }

    /// The text that holds a key of another type: `true`, `420`, `1.5`, `null`.
    func keyText(_ value: Value) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .float(let value): self == .kubernetes ? KubernetesSchema.keyText(value) : FloatText.text(value)
        case .null: self == .kubernetes ? nil : "null"
        case .list, .map: nil
        }
    }
}
