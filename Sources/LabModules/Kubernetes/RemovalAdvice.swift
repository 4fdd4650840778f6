import LabCore
import LabKube

/// What labctl knows of kinds that went out of use, for those who still have objects of them.
enum RemovalAdvice {
    static let advice: RemovalGuard.Advice = { kind, objects in
        guard kind == GroupKind(group: "metallb.io", kind: "AddressPool") else { return nil }
        return (
            notes: objects.prefix(5).map { pool in
                let addresses = (pool.object[["spec", "addresses"]]?.list ?? []).compactMap(\.string)
                let mode = pool.object[["spec", "protocol"]]?.string ?? "layer2"
                return "\(pool.reference) has \(addresses.joined(separator: ", ")) by \(mode)"
            },
            hint:
                "MetalLB 0.13.3 and later know AddressPool no more than to convert it: make each one an IPAddressPool with the "
                + "same addresses, and an L2Advertisement (layer2) or BGPAdvertisement (bgp) that names it; the role does "
                + "so from metallb_pools. Then delete the AddressPools and run this again"
        )
    }
}
