import LabCore
import LabYAML
import Yams

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Compares labctl's YAML parser with Yams on one file, and shows how its cost grows with the size of the input.
///
///     yaml-benchmark FILE             # tree with places: labctl, Yams compose_all, in turns
///     yaml-benchmark --hostile FILE   # hostile pieces at two sizes: the cost per byte does not grow
///     yaml-benchmark --curve FILE     # the file repeated up to 100 MB: time and memory per byte
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func contents(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return bytes }
        bytes.append(contentsOf: buffer[..<count])
    }
}

/// The highest resident size of the process so far, in bytes.
func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    #else
        getrusage(RUSAGE_SELF, &usage)
        return usage.ru_maxrss
    #endif
}

func format(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (value * scale).rounded() / scale
    var text = String(rounded)
    if let point = text.firstIndex(of: ".") {
        let count = text.distance(from: point, to: text.endIndex) - 1
        text += String(repeating: "0", count: max(0, digits - count))
    }
    return text
}

/// Runs the bodies in turns, so that all of them meet the same machine; returns the best and the median of each.
func measure(rounds: Int, _ bodies: [() throws -> Void]) throws -> [(best: Double, median: Double)] {
    var times = bodies.map { _ in [Double]() }
    for round in 0..<rounds {
        for (index, body) in bodies.enumerated() {
            let start = now()
            try body()
            let time = now() - start
            // The first rounds warm caches and the allocator.
            if round >= rounds / 10 { times[index].append(time) }
        }
    }
    return times.map { times in
        let sorted = times.sorted()
        return (sorted[0], sorted[sorted.count / 2])
    }
}

func compare(_ path: String, _ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    nonisolated(unsafe) var sink = 0
    let results = try measure(
        rounds: 200,
        [
            { sink &+= try LabYAML.YAML.parse(SourceFile(path: path, bytes: bytes), schema: .kubernetes).nodes.count },
            {
                sink &+= try LabYAML.YAML.load(SourceFile(path: path, bytes: bytes), schema: .kubernetes).count
            },
            { for node in try Yams.compose_all(yaml: text) { sink &+= node.scalar == nil ? 2 : 1 } },
        ])
    let names = ["labctl, tree with places", "labctl, values with places", "Yams compose_all"]
    let reference = results[2]
    print("\(path): \(bytes.count) bytes")
    for (name, result) in zip(names, results) {
        print(
            name + String(repeating: " ", count: 28 - name.count), "best", format(result.best * 1e6, digits: 0), "µs",
            " median", format(result.median * 1e6, digits: 0), "µs ",
            format(Double(bytes.count) / result.median / 1e6, digits: 1), "MB/s ",
            format(reference.median / result.median, digits: 1), "x Yams")
    }
    precondition(sink != 0)
}

func curve(_ path: String, _ bytes: [UInt8]) throws {
    print("bytes  tree µs  ns/byte  MB/s  tree bytes/byte  peak MB")
    var document = bytes
    if !document.starts(with: Array("---".utf8)) { document = Array("---\n".utf8) + document }
    for size in [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] {
        var input: [UInt8] = []
        input.reserveCapacity(size + document.count)
        if size < document.count {
            var cut = size
            while cut > 0, document[cut - 1] != 0x0A { cut -= 1 }
            input = Array(document[..<cut])
        } else {
            while input.count < size { input += document }
        }
        let rounds = max(3, min(100, 20_000_000 / size))
        var memory = 0
        let results = try measure(
            rounds: rounds,
            [
                {
                    let tree = try LabYAML.YAML.parse(SourceFile(path: path, bytes: input), schema: .kubernetes)
                    memory = tree.byteCount
                }
            ])
        print(
            input.count, format(results[0].median * 1e6, digits: 0),
            format(results[0].median * 1e9 / Double(input.count), digits: 2),
            format(Double(input.count) / results[0].median / 1e6, digits: 0),
            format(Double(memory) / Double(input.count), digits: 2), peakMemory() / 1_000_000)
    }
}

/// Repeats hostile pieces at two sizes: cost per byte must not grow with the size.
func hostile() {
    let starts = [
        "", "a: ", "a: '", "a: \"", "a: |\n ", "# ", "a: [", "- ", "a: b #", "&", "*", "!", "!<", "%", "--- ",
        "a: >\n  ", "\"\\",
    ]
    let fillers = [
        "x", " ", "x ", "\t", "'", "\"", "\\", ": ", "#", " #", "é", "[", "]", "&", "-", "\n", "\n ", "\n\n  x", "''",
        "\\n", "- ", "? ",
        "- a: b: c\n", "a: 1\n", "a\n", "{a: b}, ", "[a]: b\n", "--- a\n", "- &a *a\n", "- 'a' b\n", "- [a\n",
        "- \"a\n", "a:\n- b\n", "? a\n: b\n",
    ]
    var worst = (growth: 0.0, cost: 0.0)
    for start in starts {
        for filler in fillers {
            var costs: [Double] = []
            for size in [200_000, 1_600_000] {
                let text = start + String(repeating: filler, count: size / filler.utf8.count)
                let file = SourceFile(path: "hostile.yml", text: text)
                let began = now()
                _ = try? LabYAML.YAML.load(file, schema: .ansible)
                costs.append((now() - began) * 1e9 / Double(size))
            }
            let growth = costs[1] / max(costs[0], 1)
            if costs[1] > 300 || growth > 3 && costs[1] > 30 {
                print("slow:", [start, filler], "ns/byte", format(costs[0], digits: 1), format(costs[1], digits: 1))
            }
            worst = (max(worst.growth, growth), max(worst.cost, costs[1]))
        }
    }
    print("worst growth", format(worst.growth, digits: 1), "worst ns/byte", format(worst.cost, digits: 1))
}

let arguments = Array(CommandLine.arguments.dropFirst())
guard let path = arguments.last, let bytes = contents(path) else {
    print("usage: yaml-benchmark [--curve | --hostile] FILE")
    exit(64)
}
do {
    if arguments.first == "--hostile" {
        hostile()
    } else if arguments.first == "--curve" {
        try curve(path, bytes)
    } else {
        try compare(path, bytes)
    }
} catch let error as any DiagnosticError {
    for diagnostic in error.diagnostics {
        print(diagnostic.span.map { "\($0): " } ?? "", diagnostic.message)
    }
    exit(65)
}
