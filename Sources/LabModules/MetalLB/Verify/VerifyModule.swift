import LabCore
import LabKube

/// `labctl.metallb.verify`: proves that traffic reaches the cluster through MetalLB. Made for a role's `verify/main.yml`.
///
/// Registered are `steps` (each with `name`, `result` and `detail`) and `unchecked`, the names of the steps that could
/// not be looked at.
package struct VerifyModule: Module {
    /// Gives the client of the cluster that a call is for.
    package typealias ClusterOpener =
        @Sendable (_ call: ModuleCall, _ context: ModuleContext) async throws -> KubeClient

    private let open: ClusterOpener

    /// - Parameter open: how the cluster is reached; through the node's connection where nothing else is given.
    package init(
        open: @escaping ClusterOpener = { call, context in
            try await ClusterLogin(call: call, context: context).session().client
        }
    ) {
        self.open = open
    }

    package let specification = ModuleSpecification(
        "labctl.metallb.verify",
        parameters: [
            .init("namespace", default: "metallb-system"),
            .init("pools", .list, default: []),
            .init("timeout", .int, default: 300),
            .init("failover", .bool, default: false),
        ] + ClusterLogin.parameters)

    package var validatesBeforeRun: Bool { true }

    package func validate(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic] {
        guard let seconds = call["timeout"]?.int, seconds < 1 else { return [] }
        return [
            Diagnostic("timeout must be at least 1 s, not \(seconds)", span: call.source["timeout"]?.span ?? call.span)
        ]
    }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        // The probe is made and removed again, but a check is not to write at all.
        if context.checkMode {
            return ModuleResult(changed: false, notes: ["check mode: no probe is made, so traffic is not checked"])
        }
        return try await translatingErrors { try await verify(call, in: context) }
    }

    private func verify(_ call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let client = try await open(call, context)
        var pace = TrafficVerification.Pace()
        let timeout = Duration.seconds(max(call["timeout"]?.int ?? 300, 1))
        pace.allocation = timeout
        pace.announcement = min(timeout, pace.announcement)
        pace.reachability = min(timeout, pace.reachability)
        pace.failover = min(timeout, pace.failover)
        let log = VerificationLog(progress: context.progress)
        let verification = TrafficVerification(
            cluster: client, laptop: Laptop(connection: context.controller, kubeconfig: client.kubeconfig),
            namespace: call["namespace"]?.string ?? "metallb-system",
            pools: (call["pools"]?.list ?? []).compactMap(\.string), withFailover: call["failover"]?.bool ?? false,
            pace: pace, log: log)
        try await verification.run()
        return try result(log.all, call)
    }

    private func result(_ steps: [VerificationStep], _ call: ModuleCall) throws -> ModuleResult {
        let values: ValueMap = [
            "steps": .list(
                steps.map { step in
                    [
                        "name": .string(step.name), "result": .string(step.result.rawValue),
                        "detail": .string(step.detail),
                    ]
                }),
            "unchecked": .list(steps.filter { $0.result == .unchecked }.map { .string($0.name) }),
        ]
        guard let failed = steps.first(where: { $0.result == .failed }) else {
            return ModuleResult(changed: false, values: values, notes: steps.map(\.line))
        }
        let others = steps.filter { $0 != failed }.map { Diagnostic.Note($0.line) }
        throw ModuleError(
            "\(failed.name): \(failed.detail)", span: call.span, notes: failed.notes.map { .init($0) } + others,
            hint: failed.hint, values: values)
    }
}
