import LabCore
import LabYAML

/// The body of an apply that is no JSON.
enum ApplyBody {
    /// - Throws: 400 in the words of a real server, where its YAML reader's message could be matched.
    static func yaml(_ bytes: [UInt8]) throws(APIStatus) -> Value {
        let documents: [SourceValue]
        do throws(YAMLError) {
            documents = try YAML.load(SourceFile(path: "<request>", bytes: bytes), schema: .kubernetes)
        } catch {
            throw .badRequest("error decoding YAML: error converting YAML to JSON: yaml: \(message(bytes, error))")
        }
        guard let first = documents.first else { return .null }
        return first.value
    }

    /// go-yaml's message where a flow collection is not closed, the most likely mistake of a client; ours otherwise.
    private static func message(_ bytes: [UInt8], _ error: YAMLError) -> String {
        var open: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"): open.append(byte)
            case UInt8(ascii: "]"), UInt8(ascii: "}"): _ = open.popLast()
            default: break
            }
        }
        if let bracket = open.last {
            let line = bytes.count { $0 == 0x0A } + 1
            return "line \(line): did not find expected ',' or '\(bracket == UInt8(ascii: "[") ? "]" : "}")'"
        }
        let first = error.diagnostics.first
        return "line \(first?.span?.start.line ?? 1): \(first?.message ?? "cannot be read")"
    }
}
