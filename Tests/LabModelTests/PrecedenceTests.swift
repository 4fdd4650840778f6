import LabCore
import LabModel
import Testing

/// The playbook of Fixtures/precedence, as far as an engine would take it.
private struct PrecedenceRun {
    let scope: LabModel.VariableScope

    init() throws {
        let root = "\(fixtures)/precedence"
        let loader = InventoryLoader()
        var inventory = try loader.load(["\(root)/inventory"])
        inventory = try loader.addingVariables(besidePlaybook: root, to: inventory)
        let play = try #require(
            try PlaybookLoader(catalog: TestCatalog(), finder: RoleFinder(directory: root)).load(["\(root)/play.yml"])
                .first)
        let host = try #require(inventory.host("h1"))
        var variables = HostVariables(
            host: host, inventory: inventory, extra: try ExtraVariables.parse(["@\(root)/files/extra.yml"]))
        let role = try #require(play.roles.first)
        // What the role's first two tasks do.
        variables.included = try ExtraVariables.parse(["@\(root)/files/include_vars.yml"]).moved(to: .includeVars)
        let facts = try #require(role.tasks[1].task?.arguments.value.map)
        for (name, value) in facts { variables.facts.set(name, value: value) }
        guard case .include(let include) = role.tasks[2] else { throw InputError("no include") }
        guard case .block(let block)? = try include.load("inner.yml").nodes.first, let task = block.tasks.first?.task
        else { throw InputError("no block") }
        scope = LabModel.VariableScope(
            layers: variables.layers(play: play, task: task),
            magic: MagicVariables(inventory: inventory, hostName: "h1"))
    }
}

@Suite struct PrecedenceTests {
    /// 190 variables, each defined at two of twenty levels, and twenty defined at one.
    @Test func everyPairOfLevelsIsDecidedAsByAnsible() throws {
        let run = try PrecedenceRun()
        let file = try FileTree.read("\(fixtures)/expected/precedence.json")
        let expected = try #require(try Value(json: file.bytes).map)
        #expect(expected.count == 210)
        for (name, value) in expected { #expect(try run.scope.variable(name) == value, "\(name)") }
    }

    @Test func whatIsShadowedIsKept() throws {
        let run = try PrecedenceRun()
        let explanation = try Explanation("pair_00_19", host: "h1", scope: run.scope)
        #expect(explanation.value == "extra_vars")
        #expect(explanation.winner.origin.level == .extraVars)
        #expect(explanation.shadowed.map(\.origin.level) == [.roleDefaults, .roleDefaults])
        #expect(explanation.winner.origin.span?.file.path.hasSuffix("files/extra.yml") == true)
    }

    @Test func anUnknownVariableIsToldWithTheNearestName() throws {
        let run = try PrecedenceRun()
        #expect(
            hints { _ = try Explanation("own_extra_var", host: "h1", scope: run.scope) } == [
                "did you mean 'own_extra_vars'?"
            ])
    }
}
