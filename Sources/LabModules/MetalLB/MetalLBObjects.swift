import LabCore

/// MetalLB's configuration as objects of the API: the address pools, what announces them, and to whom.
///
/// Later objects replace earlier ones of the same kind, namespace and name, as applying them one after the other does.
package struct MetalLBObjects: Sendable {
    /// An `IPAddressPool`.
    package struct Pool: Sendable {
        package let name: String
        package let namespace: String?
        package let labels: ValueMap
        package let ranges: [(range: AddressRange, span: SourceSpan?)]
        package let avoidsBuggyAddresses: Bool
        /// Where the pool's name stands.
        package let span: SourceSpan?
        package let value: Value

        /// Whether an address is in one of the pool's ranges.
        package func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.range.contains(address) } }
    }

    /// An `L2Advertisement` or a `BGPAdvertisement`.
    package struct Advertisement: Sendable {
        package let kind: String
        package let name: String
        package let namespace: String?
        package let poolNames: [(name: String, span: SourceSpan?)]
        package let poolSelectors: [LabelSelector]
        package let nodeSelectors: [LabelSelector]
        package let interfaces: [String]
        /// Where a field stands.
        package let places: [String: SourceSpan]
        /// Where the peers and communities stand that it names.
        package let entryPlaces: [String: SourceSpan]
        package let span: SourceSpan?
        package let value: Value

        /// Where a field stands, or else the advertisement.
        package func place(_ field: String) -> SourceSpan? { places[field] ?? span }

        /// Whether the advertisement announces the pool (`setL2AdvertisementsToPools`): by name, by label, or because it
        /// names nothing and so means all.
        package func selects(_ pool: Pool) -> Bool {
            guard pool.namespace == namespace else { return false }
            return poolNames.isEmpty && poolSelectors.isEmpty || poolNames.contains { $0.name == pool.name }
                || poolSelectors.contains { $0.matches(pool.labels) }
        }
    }

    /// A `BGPPeer`.
    package struct Peer: Sendable {
        package let name: String
        package let namespace: String?
        /// Where a field stands, or else the peer's name.
        package let places: [String: SourceSpan]
        package let span: SourceSpan?
        package let spec: Value

        /// Where a field stands, or else the peer.
        package func place(_ field: String) -> SourceSpan? { places[field] ?? span }
    }

    /// A `BFDProfile`.
    package struct BFDProfile: Sendable {
        package let name: String
        package let namespace: String?
        package let hasEcho: Bool
        package let span: SourceSpan?
    }

    /// A name that a `Community` gives to a value.
    package struct CommunityAlias: Sendable {
        /// The `Community`.
        package let object: String
        package let namespace: String?
        package let name: String
        package let value: String
        package let span: SourceSpan?
    }

    package private(set) var pools: [Pool] = []
    package private(set) var advertisements: [Advertisement] = []
    package private(set) var peers: [Peer] = []
    package private(set) var profiles: [BFDProfile] = []
    package private(set) var communities: [CommunityAlias] = []
    /// How the MetalLB that is installed speaks BGP; nil while nothing tells.
    package var implementation: BGPImplementation?

    package init() {}

    /// Reads the configuration out of objects that the API gave, which are right by themselves.
    package init(_ objects: [Value]) {
        self.init()
        _ = add(objects.map { SourceValue($0) }, in: ValidationScope(), near: nil)
    }

    /// Adds the objects that are MetalLB's configuration and passes over the others.
    ///
    /// - Parameter near: what mistakes point at where neither the object nor a variable's file has a place.
    /// - Returns: the mistakes that each object has by itself.
    package mutating func add(
        _ objects: [SourceValue], in scope: ValidationScope, near: SourceSpan?
    ) -> [Diagnostic] {
        var reader = MetalLBObjectReader(scope: scope, near: near)
        for object in objects.flatMap(Self.items) {
            if let implementation = BGPImplementation(ofDeployment: object.value) {
                self.implementation = implementation
            }
            guard object["apiVersion"]?.string?.hasPrefix("metallb.io/") == true else { continue }
            switch object["kind"]?.string {
            case "BGPPeer":
                guard let peer = reader.peer(object) else { continue }
                peers.removeAll { $0.name == peer.name && $0.namespace == peer.namespace }
                peers.append(peer)
            case "BFDProfile":
                guard let profile = reader.profile(object) else { continue }
                profiles.removeAll { $0.name == profile.name && $0.namespace == profile.namespace }
                profiles.append(profile)
            case "Community":
                let aliases = reader.aliases(object)
                let name = object["metadata"]?["name"]?.string
                communities.removeAll { $0.object == name && $0.namespace == object["metadata"]?["namespace"]?.string }
                communities += aliases
            case "IPAddressPool":
                guard let pool = reader.pool(object) else { continue }
                pools.removeAll { $0.name == pool.name && $0.namespace == pool.namespace }
                pools.append(pool)
            case .some(let kind) where kind == "L2Advertisement" || kind == "BGPAdvertisement":
                guard let advertisement = reader.advertisement(object, kind: kind) else { continue }
                advertisements.removeAll {
                    $0.kind == kind && $0.name == advertisement.name && $0.namespace == advertisement.namespace
                }
                advertisements.append(advertisement)
            default: continue
            }
        }
        return reader.diagnostics
    }

    /// The objects in a `List`, or the object itself.
    private static func items(_ object: SourceValue) -> [SourceValue] {
        guard object["kind"]?.string?.hasSuffix("List") == true, let items = object["items"]?.list else {
            return [object]
        }
        return items
    }
}
