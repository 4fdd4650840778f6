import LabCore
import Testing

@testable import LabYAML

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Makes inputs out of a corpus: cuts, doubles, swaps, splices, and pieces of YAML where they may hurt.
struct Mutator {
    var generator: SeededGenerator
    let corpus: [[UInt8]]

    static let pieces: [[UInt8]] =
        [
            ": ", ":", "- ", "-", "? ", "?", ",", "[", "]", "{", "}", "#", " #", "\n", "\n  ", "\n    ", "\r\n", "\r",
            "  ", "\t", "'", "\"", "''",
            "\\", "\\x4", "\\u12", "\\\n", "&a ", "*a", "&", "*", "!", "!x ", "!!str ", "!<", "<<: ", "---\n", "--- ",
            "...\n", "%YAML 1.2\n",
            "%TAG ! x\n", "|", ">", "|-\n", ">+2\n", "%", "@", "`", "~", "yes", "0644", "1:30", "1e999", "{{ x }}", "é",
            "\u{FEFF}", "\u{2028}",
            "\u{85}", "\u{7F}", "\u{10FFFF}",
        ].map { Array($0.utf8) } + [
            [0x00], [0x01], [0xFF], [0xC3], [0xE2, 0x80], [0xF0, 0x9F], [0xED, 0xA0, 0x80], [0xFF, 0xFE], [0xFE, 0xFF],
        ]

    mutating func next() -> [UInt8] {
        var bytes = corpus.randomElement(using: &generator) ?? []
        if bytes.count > 400 {
            let start = Int.random(in: 0..<bytes.count - 300, using: &generator)
            bytes = Array(bytes[start..<start + 300])
        }
        for _ in 0..<([0, 1, 1, 2, 3, 5, 10].randomElement(using: &generator) ?? 1) {
            let at = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0, 1:
                bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: at)
            case 2:
                bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...8, using: &generator)))
            case 3:
                let other = corpus.randomElement(using: &generator) ?? []
                let start = Int.random(in: 0...other.count, using: &generator)
                bytes.insert(
                    contentsOf: other[start..<min(other.count, start + Int.random(in: 0...40, using: &generator))],
                    at: at)
            case 4:
                bytes = Array(bytes.prefix(at))
            case 5 where !bytes.isEmpty:
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            default:
                let end = min(bytes.count, at + Int.random(in: 1...30, using: &generator))
                let copy = bytes[at..<end]
                for _ in 0..<Int.random(in: 1...20, using: &generator) { bytes.insert(contentsOf: copy, at: at) }
            }
        }
        return bytes
    }
}

/// `LABCTL_FUZZ_ROUNDS` and `LABCTL_FUZZ_SEED` make a longer or another run.
struct FuzzTests {
    static let corpus: [[UInt8]] = {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        var files: [URL] = []
        for folder in ["corpus", "broken"] {
            let names =
                (try? FileManager.default.contentsOfDirectory(atPath: fixtures.appending(path: folder).path)) ?? []
            files += names.sorted().filter { $0.hasSuffix(".yml") }.map {
                fixtures.appending(path: folder).appending(path: $0)
            }
        }
        return files.compactMap { try? Array(Data(contentsOf: $0)) } + SuiteCase.all.compactMap { $0.bytes("in.yaml") }
    }()

    static func setting(_ name: String, or value: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? value
    }

    @Test func everythingIsReadOrRefused() throws {
        #expect(Self.corpus.count >= 20)
        var mutator = Mutator(
            generator: SeededGenerator(seed: UInt64(Self.setting("LABCTL_FUZZ_SEED", or: 1))), corpus: Self.corpus)
        for _ in 0..<Self.setting("LABCTL_FUZZ_ROUNDS", or: 3000) {
            let bytes = mutator.next()
            for schema in Schema.allCases { try check(bytes, schema) }
        }
    }

    @Test func theCorpusIsReadOrRefused() throws {
        for bytes in Self.corpus {
            for schema in Schema.allCases { try check(bytes, schema) }
        }
    }

    private func check(_ bytes: [UInt8], _ schema: Schema) throws {
        let file = SourceFile(path: "fuzz.yml", bytes: bytes)
        let tree: SyntaxTree
        do {
            tree = try YAML.parse(file, schema: schema)
        } catch {
            checkError(error, file)
            return
        }
        checkStructure(tree, bytes)
        let written = YAML.emit(tree)
        guard let again = try? YAML.parse(SourceFile(path: "again.yml", text: written)) else {
            Issue.record("the nodes of \(bytes) were written as \(written), which cannot be read")
            return
        }
        #expect(again.eventsWithoutStyle() == tree.eventsWithoutStyle(), "\(bytes)")
        do {
            let values = try YAML.compose(tree, schema: schema).map(\.value)
            for value in values where value.nodeCount(limit: 10_000) < 10_000 && value.isStable(under: schema) {
                let text = YAML.emit(value)
                let read = try? YAML.load(SourceFile(path: "again.yml", text: text), schema: schema).map(\.value)
                #expect(read.map { "\($0)" } == "\([value])", "\(bytes) \(text)")
            }
        } catch {
            checkError(error, tree.file)
        }
    }

    private func checkError(_ error: YAMLError, _ file: SourceFile) {
        #expect(!error.diagnostics.isEmpty && error.diagnostics.count <= Limits().mistakes)
        for diagnostic in error.diagnostics {
            #expect(!diagnostic.message.isEmpty && diagnostic.message.utf8.count < 300)
            for span in [diagnostic.span] + diagnostic.notes.map(\.span) {
                guard let span else { continue }
                #expect(
                    span.start.offset <= span.end.offset && span.end.offset <= span.file.bytes.count, "\(diagnostic)")
            }
        }
    }

    /// Nodes stand in their parents, in order, and scalars lie in the file or the decoded texts.
    private func checkStructure(_ tree: SyntaxTree, _ bytes: [UInt8]) {
        var parents: [(end: Int, next: Int)] = []
        var last = 0
        for index in tree.nodes.indices {
            let node = tree.nodes[index]
            while let parent = parents.last, parent.next <= index { parents.removeLast() }
            #expect(Int(node.start) <= Int(node.end) && Int(node.end) <= tree.file.bytes.count, "\(bytes)")
            #expect(Int(node.next) > index && Int(node.next) <= tree.nodes.count, "\(bytes)")
            #expect(Int(node.start) >= last || node.textStart == node.textEnd, "order at \(index) of \(bytes)")
            if let parent = parents.last {
                #expect(Int(node.next) <= parent.next && Int(node.end) <= parent.end, "extent at \(index) of \(bytes)")
            }
            last = max(last, Int(node.start))
            switch node.kind {
            case .document, .sequence, .mapping:
                parents.append((Int(node.end), Int(node.next)))
                let count = Array(tree.children(of: index)).count
                if node.kind == .mapping { #expect(count % 2 == 0, "\(bytes)") }
                if node.kind == .document { #expect(count == 1, "\(bytes)") }
            case .scalar, .alias:
                #expect(Int(node.next) == index + 1)
                let limit = node.flags & SyntaxTree.Node.isDecoded != 0 ? tree.decoded.count : tree.file.bytes.count
                #expect(node.textStart <= node.textEnd && Int(node.textEnd) <= limit, "\(bytes)")
            }
        }
    }
}

extension Value {
    /// The number of values in this one, counted up to a limit.
    func nodeCount(limit: Int) -> Int {
        var count = 1
        let parts: [Value]
        switch self {
        case .list(let items): parts = items
        case .map(let entries): parts = Array(entries.values)
        default: return 1
        }
        for part in parts {
            count += part.nodeCount(limit: limit - count)
            if count >= limit { return limit }
        }
        return count
    }

    /// Whether a value is read again as the same type: JSON has no floats without a fraction, and NaN is not itself.
    func isStable(under schema: Schema) -> Bool {
        switch self {
        case .float(let value): schema != .kubernetes || value.rounded() != value
        case .list(let items): items.allSatisfy { $0.isStable(under: schema) }
        case .map(let entries): entries.values.allSatisfy { $0.isStable(under: schema) }
        default: true
        }
    }
}
