import LabCore

/// The pools of MetalLB: its reading of addresses, and its refusals (MetalLB v0.14.9 internal/config/config.go).
struct AddressPools: Sendable {
    struct Pool: Sendable {
        var name: String
        var blocks: [AddressBlock]
        var assignsByItself: Bool
        var avoidsBuggyAddresses: Bool
    }

    var pools: [Pool] = []

    private struct Refusal: Error { var text: String }

    /// Why MetalLB's webhook refuses these pools together; nil when it does not.
    static func refusal(of objects: [Value]) -> String? {
        do {
            _ = try AddressPools(checking: objects)
            return nil
        } catch {
            return error.text
        }
    }

    /// The pools of the objects, without those that cannot be read.
    init(_ objects: [Value]) {
        pools = objects.compactMap { try? Self.pool($0) }
    }

    private init(checking objects: [Value]) throws(Refusal) {
        for object in objects {
            let pool: Pool
            do {
                pool = try Self.pool(object)
            } catch {
                throw Refusal(text: "parsing address pool \(object.objectName): \(error.text)")
            }
            for block in pool.blocks {
                for other in pools {
                    if let taken = other.blocks.first(where: { $0.overlaps(block) }) {
                        throw Refusal(
                            text: "CIDR \"\(block)\" in pool \"\(pool.name)\" overlaps with already defined CIDR "
                                + "\"\(taken)\"")
                    }
                }
            }
            for (index, block) in pool.blocks.enumerated() {
                if let taken = pool.blocks[..<index].first(where: { $0.overlaps(block) }) {
                    throw Refusal(
                        text: "CIDR \"\(block)\" in pool \"\(pool.name)\" overlaps with already defined CIDR "
                            + "\"\(taken)\"")
                }
            }
            pools.append(pool)
        }
    }

    private static func pool(_ object: Value) throws(Refusal) -> Pool {
        let name = object.objectName
        let addresses = object[path: ["spec", "addresses"]]?.list?.compactMap(\.string) ?? []
        guard !addresses.isEmpty else { throw Refusal(text: "pool has no prefixes defined") }
        var blocks: [AddressBlock] = []
        for text in addresses {
            do {
                blocks += try parse(text)
            } catch {
                throw Refusal(text: "invalid CIDR \"\(text)\" in pool \"\(name)\": \(error.text)")
            }
        }
        return Pool(
            name: name, blocks: blocks, assignsByItself: object[path: ["spec", "autoAssign"]]?.bool ?? true,
            avoidsBuggyAddresses: object[path: ["spec", "avoidBuggyIPs"]]?.bool ?? false)
    }

    private static func parse(_ text: String) throws(Refusal) -> [AddressBlock] {
        let sides = text.split(separator: "-", omittingEmptySubsequences: false)
        guard sides.count == 2 else {
            guard let block = AddressBlock(text) else { throw Refusal(text: "invalid CIDR \"\(text)\"") }
            return [block]
        }
        func address(_ side: Substring, _ place: String) throws(Refusal) -> IPAddress {
            let trimmed = String(side.filter { $0 != " " })
            guard let address = IPAddress(trimmed) else {
                throw Refusal(text: "invalid IP range \"\(text)\": invalid \(place) IP \"\(trimmed)\"")
            }
            return address
        }
        let first = try address(sides[0], "start")
        let last = try address(sides[1], "end")
        guard first.isV6 == last.isV6 else { return [] }
        guard first.bits <= last.bits else {
            throw Refusal(
                text: "invalid IP range \"\(text)\": start IP \"\(first)\" is after the end IP \"\(last)\"")
        }
        return AddressBlock.covering(first, last)
    }
}
