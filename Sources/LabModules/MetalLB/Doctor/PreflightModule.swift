import LabCore
import LabKube
import LabTransport

/// `labctl.metallb.preflight`: the doctor's cheap checks, on what a run is about to bring. Made for a role's
/// `preflight/main.yml`.
///
/// It asks the API server two things at once, over the connection that the run needs anyway: for its nodes and its
/// version. Where there is no API yet there is nothing to look at, which is said and is no failure. Registered is
/// `findings`, each with `check`, `severity`, `sentence` and `fix`.
package struct PreflightModule: Module {
    private let open: VerifyModule.ClusterOpener

    /// - Parameter open: how the cluster is reached; through the node's connection where nothing else is given.
    package init(
        open: @escaping VerifyModule.ClusterOpener = { call, context in
            try await ClusterLogin(call: call, context: context).session().client
        }
    ) {
        self.open = open
    }

    package let specification = ModuleSpecification(
        "labctl.metallb.preflight",
        parameters: [
            .init("version"), .init("manifest"), .init("pools", .list, default: []),
            .init("l2_advertisements", .list, default: []), .init("bgp_advertisements", .list, default: []),
        ] + ClusterLogin.parameters)

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let outcomes: [MetalLBDoctor.Outcome]
        do {
            outcomes = try await look(call, context)
        } catch {
            try Task.checkCancellation()
            // Whoever needs the API after this says at length why it is not there.
            let why = (error as? any DiagnosticError)?.diagnostics.first?.message ?? "\(error)"
            var result = ModuleResult(changed: false, notes: ["there is no cluster to look at yet: \(why)"])
            result.isSkipped = true
            return result
        }
        let findings = outcomes.flatMap(\.findings)
        let errors = findings.filter { $0.severity == .error }
        guard errors.isEmpty else { throw ModuleError(Self.told(errors), values: Self.values(findings)) }
        let warnings = findings.filter { $0.severity == .warning }
        let unchecked = findings.filter { $0.severity == .unchecked }.map { "not checked: \($0.sentence)" }
        let nothing = "\(outcomes.count) checks, nothing found"
        return ModuleResult(
            changed: false, values: Self.values(findings),
            notes: unchecked.isEmpty && warnings.isEmpty ? [nothing] : unchecked,
            warnings: warnings.map {
                $0.fix.map { [sentence = $0.sentence] fix in "\(sentence); \(fix)" } ?? $0.sentence
            })
    }

    private func look(_ call: ModuleCall, _ context: ModuleContext) async throws -> [MetalLBDoctor.Outcome] {
        var lab = LabSnapshot()
        lab.laptop = LabSnapshot.Laptop(addresses: try LocalNetwork.all().map(\.address))
        lab.configuration = Self.configuration(call)
        lab.comingVersion = call["version"]?.string
        lab.comingIgnoresLabel = await ignoresLabel(call, context)
        return try await MetalLBDoctor.preflight(open(call, context), lab)
    }

    /// A manifest of the user's own may have speakers that announce from nodes with the exclude label too.
    private func ignoresLabel(_ call: ModuleCall, _ context: ModuleContext) async -> Bool {
        guard let path = call["manifest"]?.string, !path.isEmpty,
            let bytes = try? await context.controller.readFile(path, become: nil)
        else { return false }
        let option = Array("--ignore-exclude-lb".utf8)
        var rest = bytes[...]
        while let dash = rest.firstIndex(of: UInt8(ascii: "-")) {
            if rest[dash...].starts(with: option) { return true }
            rest = rest[(dash + 1)...]
        }
        return false
    }

    /// The role's pools and advertisements as objects; what cannot be one is the validation's business.
    private static func configuration(_ call: ModuleCall) -> [Value] {
        func objects(_ parameter: String, _ kind: Value, _ spec: (Value) -> ValueMap) -> [Value] {
            (call[parameter]?.list ?? []).map { entry in
                [
                    "apiVersion": "metallb.io/v1beta1", "kind": kind,
                    "metadata": ["name": entry["name"] ?? "", "namespace": "metallb-system"],
                    "spec": .map(spec(entry)),
                ]
            }
        }
        func advertisement(_ entry: Value) -> ValueMap {
            var spec: ValueMap = [:]
            spec["ipAddressPools"] = entry["pools"]
            spec["nodeSelectors"] = entry["node_selectors"]
            return spec
        }
        let pools = objects("pools", "IPAddressPool") { entry in
            let addresses = entry["addresses"] ?? .list([])
            return ["addresses": addresses.list == nil ? .list([addresses]) : addresses]
        }
        return pools + objects("l2_advertisements", "L2Advertisement", advertisement)
            + objects("bgp_advertisements", "BGPAdvertisement", advertisement)
    }

    private static func told(_ errors: [Finding]) -> [Diagnostic] {
        errors.enumerated().map { index, finding in
            var diagnostic = finding.diagnostic
            if index == errors.count - 1 {
                diagnostic.notes.append(
                    .init(
                        "nothing was changed; labctl doctor metallb looks at more, --skip-preflight goes on all the same"
                    ))
            }
            return diagnostic
        }
    }

    private static func values(_ findings: [Finding]) -> ValueMap {
        [
            "findings": .list(
                findings.map { finding in
                    [
                        "check": .int(finding.number), "severity": .string(finding.severity.rawValue),
                        "sentence": .string(finding.sentence), "fix": finding.fix.map { .string($0) } ?? .null,
                    ]
                })
        ]
    }
}
