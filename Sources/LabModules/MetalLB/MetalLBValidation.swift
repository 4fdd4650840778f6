import LabCore
import OrderedCollections

extension MetalLBObjects {
    /// The mistakes in MetalLB's configuration among these objects, each by itself and taken together. MetalLB's own
    /// sentences where it has one (internal/config/config.go of 0.14.9), and all of them, where MetalLB stops at the
    /// first.
    package static func validate(
        _ objects: [SourceValue], scope: ValidationScope, near: SourceSpan? = nil
    ) -> [Diagnostic] {
        var configuration = MetalLBObjects()
        let own = configuration.add(objects, in: scope, near: near)
        return own + configuration.overlaps() + configuration.conflicts() + configuration.unannounced()
            + configuration.dangling()
    }

    /// As `validate` of values with places, for rendered objects.
    package static func validate(
        _ objects: [Value], scope: ValidationScope, near: SourceSpan? = nil
    ) -> [Diagnostic] {
        validate(objects.map { SourceValue($0) }, scope: scope, near: near)
    }

    /// What a module that applies objects calls from its `validate`. With a record in the scope only the objects' own
    /// mistakes are returned, and what needs all calls of the run is told when the record is finished.
    ///
    /// - Parameter cluster: tells one cluster from another: the kubeconfig and the context that the call names.
    package static func check(
        _ objects: [SourceValue], scope: ValidationScope, cluster: String = "", near: SourceSpan? = nil
    ) -> [Diagnostic] {
        guard let record = scope.record else { return validate(objects, scope: scope, near: near) }
        var own: [Diagnostic] = []
        record.update("metallb", initial: MetalLBTally()) { tally in
            own = tally.add(objects, cluster: "\(scope.hostName) \(cluster)", scope: scope, near: near)
        }
        return own
    }

    /// Ranges that hold the same addresses, within a pool and between pools (`poolsFor`).
    package func overlaps() -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        var defined: [(network: IPNetwork, pool: Pool, range: AddressRange, span: SourceSpan?)] = []
        for pool in pools {
            for (range, span) in pool.ranges {
                if let (network, earlier) = firstOverlap(of: range, with: defined) {
                    diagnostics.append(
                        Diagnostic(
                            "CIDR \"\(network)\" in pool \(goQuoted(pool.name)) overlaps with already defined CIDR "
                                + "\"\(earlier.network)\"", span: span,
                            notes: [
                                .init("\(network) is part of \(range.text)"),
                                .init(
                                    "\(earlier.network) is part of \(earlier.range.text) in pool "
                                        + goQuoted(earlier.pool.name), span: earlier.span),
                            ], hint: "let every address be in one range only"))
                }
                defined += range.networks.map { ($0, pool, range, span) }
            }
        }
        return diagnostics
    }

    private func firstOverlap<Place>(
        of range: AddressRange, with defined: [(network: IPNetwork, pool: Pool, range: AddressRange, span: Place)]
    ) -> (network: IPNetwork, earlier: (network: IPNetwork, pool: Pool, range: AddressRange, span: Place))? {
        for network in range.networks {
            if let earlier = defined.first(where: { $0.network.overlaps(network) }) { return (network, earlier) }
        }
        return nil
    }

    /// Pools that nothing announces, advertisements of pools that are not there, and addresses that some devices drop:
    /// MetalLB takes all of them without a word.
    package func unannounced() -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        for pool in pools {
            if !advertisements.contains(where: { $0.selects(pool) }) {
                diagnostics.append(
                    Diagnostic(
                        "no advertisement announces pool \(goQuoted(pool.name)): its addresses are given out but do not "
                            + "answer", span: pool.span,
                        hint: "add an L2Advertisement that names it, or one that names no pool and so means all",
                        severity: .warning))
            }
            if !pool.avoidsBuggyAddresses, let (range, span) = pool.ranges.first(where: { $0.range.hasBuggyAddress }) {
                diagnostics.append(
                    Diagnostic(
                        "\(range.text) in pool \(goQuoted(pool.name)) holds addresses that end in .0 or .255, which some "
                            + "devices drop", span: span, hint: "set avoidBuggyIPs: true", severity: .warning))
            }
        }
        for advertisement in advertisements {
            for (name, span) in advertisement.poolNames where !pools.contains(where: { $0.name == name }) {
                let near = nearestName(to: name, among: pools.map(\.name))
                diagnostics.append(
                    Diagnostic(
                        "\(advertisement.kind) \(goQuoted(advertisement.name)) names pool \(goQuoted(name)), which nothing "
                            + "here defines", span: span,
                        notes: [.init("MetalLB passes over names of pools that do not exist")],
                        hint: near.map { "did you mean \($0)?" }, severity: .warning))
            }
        }
        return diagnostics
    }
}

extension AddressRange {
    /// Whether an IPv4 address of the range ends in .0 or .255 (`avoidBuggyIPs`).
    var hasBuggyAddress: Bool {
        networks.contains { network in
            guard network.address.isIPv4 else { return false }
            let first = network.address.bits & 0xFF
            let last = network.last.bits & 0xFF
            return network.prefixLength <= 24 || first == 0 || last == 255
        }
    }
}

/// MetalLB's configuration as all calls of a run bring it, a cluster at a time.
struct MetalLBTally: ValidationTally {
    private var clusters: OrderedDictionary<String, MetalLBObjects> = [:]

    /// Takes up the objects of one call; gives back the mistakes that each has by itself.
    mutating func add(
        _ objects: [SourceValue], cluster: String, scope: ValidationScope, near: SourceSpan?
    ) -> [Diagnostic] {
        clusters[cluster, default: MetalLBObjects()].add(objects, in: scope, near: near)
    }

    /// Takes note of how the MetalLB speaks BGP that a manifest installs.
    mutating func note(_ implementation: BGPImplementation, cluster: String) {
        clusters[cluster, default: MetalLBObjects()].implementation = implementation
    }

    func finish(isComplete: Bool) -> [Diagnostic] {
        var found: OrderedSet<Diagnostic> = []
        for configuration in clusters.values {
            found.append(contentsOf: configuration.overlaps() + configuration.conflicts())
            // What another call may bring is not missing; and an advertisement alone is for pools of an earlier run.
            guard isComplete, !configuration.pools.isEmpty else { continue }
            found.append(contentsOf: configuration.unannounced() + configuration.dangling())
        }
        return Array(found)
    }
}
