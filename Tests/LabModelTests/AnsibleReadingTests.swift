import LabCore
import Testing

@testable import LabModel

/// How the real Ansible reads texts (Fixtures/generate.py).
private func answers(_ file: String, _ key: String) throws -> [Value] {
    let bytes = try FileTree.read("\(fixtures)/expected/\(file).json").bytes
    return try #require(try Value(json: bytes)[key]?.list)
}

@Suite struct AnsibleReadingTests {
    @Test(arguments: [true, false]) func oneLineArguments(_ isCommand: Bool) throws {
        for answer in try answers("splitting", "arguments") {
            let text = try #require(answer["text"]?.string)
            let split = KeyValueText(text, isCommand: isCommand)
            var found = ValueMap()
            for pair in split.pairs { found[pair.key] = .string(pair.value) }
            if let rest = split.rest { found["_raw_params"] = .string(rest) }
            var expected = try #require(answer[isCommand ? "command" : "module"]?.map)
            // The line break at the end of a block scalar is of no use to a command.
            expected["_raw_params"] = expected["_raw_params"]?.string.map { .string($0.trimmingEnd()) }
            #expect(Value.map(found) == .map(expected), "\(text)")
        }
    }

    @Test func hostRanges() throws {
        for answer in try answers("splitting", "ranges") {
            let text = try #require(answer["text"]?.string)
            #expect(try HostRange.expand(text).names == answer["names"]?.list?.compactMap(\.string), "\(text)")
        }
    }

    @Test(
        arguments: [
            ("w1", "w1", nil), ("w1:22", "w1", 22), ("[::1]:22", "::1", 22), ("fe80::1", "fe80::1", nil),
            ("w[1:2]:22", "w[1:2]", 22), ("10.0.0.1:2222", "10.0.0.1", 2222), ("w1:", "w1:", nil),
            ("w1:x", "w1:x", nil),
        ] as [(String, String, Int?)])
    func portsOfHosts(_ text: String, _ host: String, _ port: Int?) {
        let split = HostRange.splitPort(text)
        #expect(split.0 == host && split.1 == port)
    }

    @Test func valuesOfINIInventories() throws {
        for answer in try answers("splitting", "values") {
            let text = try #require(answer["text"]?.string)
            #expect(PythonLiteral.value(of: text) == answer["value"], "\(text)")
        }
    }

    private struct Step {
        let name: String
        let tags: [String]
    }

    /// The tasks of a list in the order in which they run where nothing fails.
    private func steps(_ nodes: [TaskNode]) throws -> [Step] {
        try nodes.flatMap { node -> [Step] in
            switch node {
            case .block(let block): return try steps(block.tasks) + steps(block.always)
            case .include(let include):
                let own = try step(include.task)
                return [own] + (try steps(include.load(try include.targetName(scope())).nodes))
            case .task(let task), .meta(let task, _): return [try step(task)]
            }
        }
    }

    private func step(_ task: LabModel.Task) throws -> Step {
        let prefix = task.role.map { "\($0.name) : " } ?? ""
        return Step(name: prefix + task.title, tags: Set(try task.directives.tagNames(scope())).sorted())
    }

    @Test func tasksRunInAnsiblesOrderWithAnsiblesTags() throws {
        let root = "\(fixtures)/site"
        let plays = try PlaybookLoader(catalog: TestCatalog(), finder: RoleFinder(directory: root)).load([
            "\(root)/site.yml"
        ])
        let found = try plays.flatMap { play in
            try steps(play.preTasks + play.roles.flatMap(\.tasks) + play.tasks + play.postTasks)
        }
        let order = try answers("site", "order").compactMap(\.string)
        #expect(found.map(\.name) == order)
        let listed = try answers("site", "tags").map { entry in
            "\(entry["name"]?.string ?? "") \((entry["tags"]?.list ?? []).compactMap(\.string))"
        }
        var included = false
        for step in found {
            if step.name == "dynamic" { included = true }
            if step.name == "always" { included = false }
            // What is included while tasks run, and what ends a block, is not listed.
            if (included && step.name != "dynamic") || step.name == "always" { continue }
            #expect(listed.contains("\(step.name) \(step.tags)"), "\(step)")
        }
    }
}
