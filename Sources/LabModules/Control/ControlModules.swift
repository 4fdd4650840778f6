import LabCore

/// `debug`: shows a message or the value of an expression.
package struct DebugModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.debug",
        parameters: [
            .init("msg", .any, default: "Hello world!"), .init("var"), .init("verbosity", .int, default: 0),
        ], runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        if let wanted = call["verbosity"]?.int, wanted > context.verbosity {
            return ModuleResult(
                changed: false, values: ["skipped_reason": "Verbosity threshold not met.", "skipped": true],
                notes: ["shown from \(String(repeating: "v", count: max(wanted, 1)).prefix(8)) on (-v)"],
                isSkipped: true)
        }
        guard let expression = call["var"]?.string else {
            let message = call["msg"] ?? "Hello world!"
            return ModuleResult(changed: false, values: ["msg": message], notes: [shown(message)])
        }
        let value: Value
        do {
            value = try context.evaluate(expression, call.source["var"]?.span ?? call.span)
        } catch let error as any DiagnosticError where isUndefined(error) {
            value = "VARIABLE IS NOT DEFINED!"
        }
        return ModuleResult(
            changed: false, values: [expression: value], notes: ["\(expression) = \(shown(value))"])
    }

    /// Whether the expression names something that does not exist, which `debug` shows instead of failing.
    private func isUndefined(_ error: any DiagnosticError) -> Bool {
        error.diagnostics.contains { $0.message.contains("undefined") || $0.message.contains("not defined") }
    }

    private func shown(_ value: Value) -> String { value.string ?? value.json(.indented(2)) }
}

/// `assert`: fails unless all conditions hold.
package struct AssertModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.assert",
        parameters: [
            .init("that", .any, required: true), .init("fail_msg", .any, aliases: ["msg"]),
            .init("success_msg", .any, default: "All assertions passed"), .init("quiet", .bool, default: false),
        ], runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let conditions = call["that"]?.list ?? [call["that"] ?? true]
        let places = call.source["that"]?.list?.map(\.span)
        for (index, condition) in conditions.enumerated() {
            let span = places.flatMap { $0.count > index ? $0[index] : nil } ?? call.source["that"]?.span ?? call.span
            guard try !context.condition(condition, span) else { continue }
            let written = condition.string ?? condition.json()
            let message = call["fail_msg"]
            let text = message.map(joined) ?? "assertion failed: \(written)"
            throw ModuleError(
                text, span: span, notes: message == nil ? [] : [Diagnostic.Note("the assertion is: \(written)")],
                values: ["evaluated_to": false, "assertion": condition, "msg": message ?? "Assertion failed"])
        }
        return ModuleResult(changed: false, values: ["msg": call["success_msg"] ?? "All assertions passed"])
    }

    private func joined(_ value: Value) -> String {
        value.string ?? value.list?.map { $0.string ?? $0.json() }.joined(separator: "; ") ?? value.json()
    }
}

/// `fail`: ends the host's run with a message.
package struct FailModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.fail", parameters: [.init("msg", default: "Failed as requested from task")],
        runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        throw ModuleError(call["msg"]?.string ?? "Failed as requested from task", span: call.span)
    }
}

/// `set_fact`: defines variables of the host.
package struct SetFactModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.set_fact", parameters: [.init("cacheable", .bool, default: false)], takesAnyParameter: true,
        runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        var facts = call.arguments
        facts["cacheable"] = nil
        guard !facts.isEmpty else {
            throw ModuleError("set_fact needs at least one variable to set", span: call.span, failureClass: .input)
        }
        if let wrong = facts.keys.first(where: { !isVariableName($0) }) {
            throw ModuleError(
                "'\(wrong)' cannot be the name of a variable", span: call.span,
                hint: "use letters, digits and underscores, not starting with a digit", failureClass: .input)
        }
        return ModuleResult(changed: false, values: ["ansible_facts": .map(facts)], variables: .facts(facts))
    }

    private func isVariableName(_ name: String) -> Bool {
        guard let first = name.first, first.isLetter || first == "_" else { return false }
        return name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }
}

/// `ping`: whether the host can be logged in to and runs commands.
package struct PingModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.ping", parameters: [.init("data", default: "pong")])

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let answer = call["data"]?.string ?? "pong"
        if answer == "crash" { throw ModuleError("ping was asked to crash", span: call.span) }
        let result = try await context.connection().run(.init(.arguments(["true"]), become: context.become))
        guard result.exitStatus == 0 else {
            throw ModuleError("\(context.hostName) answers, but runs no commands", span: call.span)
        }
        return ModuleResult(changed: false, values: ["ping": .string(answer)])
    }
}

/// `meta`: steps of the run itself. The engine carries them out; the module only knows their names.
package struct MetaModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.meta", parameters: [], takesFreeForm: true, runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.nothing) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        ModuleResult(changed: false)
    }
}
