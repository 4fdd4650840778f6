import LabCore
import LabYAML

/// The entry point of libFuzzer: any bytes are read or refused, under the schema that the first byte chooses, and what
/// was read is read alike after it was written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzYAML(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 0 else { return 0 }
    let schema = LabYAML.Schema.allCases[Int(data[0]) % 3]
    let file = SourceFile(path: "fuzz.yml", bytes: Array(UnsafeBufferPointer(start: data + 1, count: size - 1)))
    guard let tree = try? YAML.parse(file, schema: schema) else { return 0 }
    let text = YAML.emit(tree)
    guard let again = try? YAML.parse(SourceFile(path: "again.yml", text: text), schema: .core) else {
        preconditionFailure("what was written cannot be read: \(text)")
    }
    precondition(again.nodes.count == tree.nodes.count, "nodes were lost: \(text)")
    guard let values = try? YAML.compose(tree, schema: schema) else { return 0 }
    for value in values where value.size(limit: 10_000) < 10_000 {
        guard (try? YAML.load(SourceFile(path: "again.yml", text: YAML.emit(value.value)), schema: schema)) != nil
        else {
            preconditionFailure("a value cannot be read again: \(YAML.emit(value.value))")
        }
    }
    return 0
}

extension SourceValue {
    /// The number of values in this one, counted up to a limit.
    fileprivate func size(limit: Int) -> Int {
        var count = 1
        for part in list ?? entries?.map(\.value) ?? [] {
            count += part.size(limit: limit - count)
            if count >= limit { return limit }
        }
        return count
    }
}
