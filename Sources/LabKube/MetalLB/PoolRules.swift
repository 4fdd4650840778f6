import LabCore

/// Finds mistakes in MetalLB's objects before anything is sent: those that its webhook would refuse, in its own words
/// (M:internal/config/config.go), and those that it accepts and that then do not work.
package enum PoolRules {
    /// Something wrong with one object.
    package struct Problem: Sendable, Hashable {
        package let message: String
        package let hint: String?
        package let isWarning: Bool
        /// The object's place in the list that was checked.
        package let index: Int
        package let path: FieldPath
        /// The text that the problem is about, where it is about one.
        package let text: String?
    }

    /// Checks all objects of a list together; those that are not MetalLB's are left alone.
    ///
    /// - Parameter nodes: The hosts and their addresses, which no pool may hold.
    package static func problems(
        in objects: [Value], nodes: [(host: String, address: IPAddress)] = []
    ) -> [Problem] {
        var check = Check(nodes: nodes)
        for (index, object) in objects.enumerated() {
            guard object["apiVersion"]?.string?.hasPrefix("metallb.io/") == true else { continue }
            switch object["kind"]?.string {
            case "IPAddressPool": check.pool(object, index)
            case "L2Advertisement": check.advertisement(object, index, keys: ["ipAddressPools", "interfaces"])
            case "BGPAdvertisement":
                check.advertisement(object, index, keys: ["ipAddressPools", "communities", "peers"])
            default: break
            }
        }
        return check.problems
    }

    private struct Check {
        let nodes: [(host: String, address: IPAddress)]
        var problems: [Problem] = []
        var taken: [(range: AddressRange, text: String, pool: String)] = []

        mutating func report(
            _ message: String, _ index: Int, _ path: FieldPath, text: String? = nil, hint: String? = nil,
            isWarning: Bool = false
        ) {
            problems.append(
                Problem(message: message, hint: hint, isWarning: isWarning, index: index, path: path, text: text))
        }

        mutating func pool(_ object: Value, _ index: Int) {
            let name = object[["metadata", "name"]]?.string ?? ""
            let path = FieldPath.keys("spec", "addresses")
            let addresses = object[["spec", "addresses"]]?.list ?? []
            if addresses.isEmpty {
                report("pool \(name): pool has no prefixes defined", index, path)
                return
            }
            let avoidsBuggy = object[["spec", "avoidBuggyIPs"]]?.bool == true
            for (position, address) in addresses.enumerated() {
                guard let text = address.string else { continue }
                let place = path.appending(.index(position))
                do {
                    let range = try AddressRange(parsing: text)
                    judge(range, text, pool: name, avoidsBuggy: avoidsBuggy, index, place)
                } catch {
                    report("pool \(name): \(error.message)", index, place, text: text, hint: error.hint)
                }
            }
        }

        private mutating func judge(
            _ range: AddressRange, _ text: String, pool: String, avoidsBuggy: Bool, _ index: Int, _ place: FieldPath
        ) {
            if let other = taken.first(where: { $0.range.overlaps(range) }) {
                let whose = other.pool == pool ? "" : " of pool \(other.pool)"
                report(
                    "pool \(pool): \(text) overlaps with \(other.text)\(whose)", index, place, text: text,
                    hint: "every address may be in one range only")
            }
            taken.append((range, text, pool))
            for node in nodes where range.contains(node.address) {
                report(
                    "pool \(pool): \(text) holds \(node.address), the address of node \(node.host)", index, place,
                    text: text,
                    hint: "a Service that gets this address would cut the node off; leave it out of the pool")
            }
            guard !avoidsBuggy, !range.first.isIPv6 else { return }
            let ends = [range.first, range.last].filter { [0, 255].contains(UInt8(truncatingIfNeeded: $0.number)) }
            if let end = ends.first, range.first != range.last {
                report(
                    "pool \(pool): \(text) holds \(end), which some devices do not take for an address of a host",
                    index, place, text: text, hint: "set avoidBuggyIPs: true", isWarning: true)
            }
        }

        mutating func advertisement(_ object: Value, _ index: Int, keys: [String]) {
            for key in keys {
                var seen: Set<Value> = []
                for (position, item) in (object[["spec", key]]?.list ?? []).enumerated() {
                    guard !seen.insert(item).inserted, let text = item.string else { continue }
                    report(
                        "duplicate definition of \(key) \"\(text)\"", index,
                        FieldPath([.key("spec"), .key(key), .index(position)]), text: text)
                }
            }
        }
    }
}
