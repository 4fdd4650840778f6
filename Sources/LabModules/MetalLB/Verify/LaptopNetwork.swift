import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The network as the laptop sees it: the side from which users of the cluster come.
package protocol LaptopNetwork: Sendable {
    /// The networks that the laptop has an interface in, with its own address in each.
    func networks() throws -> [LocalNetwork]

    /// The neighbour table (ARP, NDP).
    func neighbours() async throws -> [Neighbour]

    /// Whether a packet to the address takes another way than the default route.
    func hasRoute(to address: IPAddress) async throws -> Bool

    /// Makes the system look for the hardware address of an address on a local network.
    func nudge(_ address: IPAddress) async

    /// Makes TLS with `address:port`, demanding the API server's certificate as the kubeconfig does, and asks something.
    ///
    /// - Returns: what answered, for the report.
    /// - Throws: an error that says why it is not the API server, or that nothing answers.
    func handshake(_ address: IPAddress, port: Int) async throws -> String
}

/// A network that the laptop has an interface in.
package struct LocalNetwork: Sendable, Hashable {
    package let interface: String
    package let address: IPAddress
    package let network: IPNetwork

    package init(interface: String, address: IPAddress, network: IPNetwork) {
        self.interface = interface
        self.address = address
        self.network = network
    }

    /// The networks of this machine's interfaces that are up (getifaddrs(3)).
    ///
    /// - Throws: `ModuleError` when the system does not say.
    package static func all() throws -> [LocalNetwork] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else {
            throw ModuleError("this machine's network interfaces cannot be listed: \(String(cString: strerror(errno)))")
        }
        defer { freeifaddrs(list) }
        var networks: [LocalNetwork] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard entry.pointee.ifa_flags & UInt32(IFF_UP) != 0,
                let address = IPAddress(socketAddress: entry.pointee.ifa_addr),
                let mask = IPAddress(socketAddress: entry.pointee.ifa_netmask)
            else { continue }
            // A mapped IPv4 mask already counts the 96 bits above it, but for those that are not all ones.
            let length =
                address.isIPv4 ? 96 + UInt32(truncatingIfNeeded: mask.bits).nonzeroBitCount : mask.bits.nonzeroBitCount
            networks.append(
                LocalNetwork(
                    interface: String(cString: entry.pointee.ifa_name), address: address,
                    network: IPNetwork(address, mappedPrefixLength: length)))
        }
        return networks
    }
}

extension IPAddress {
    /// The address of a `sockaddr_in` or `sockaddr_in6`; nil for any other family.
    fileprivate init?(socketAddress: UnsafePointer<sockaddr>?) {
        guard let socketAddress else { return nil }
        switch Int32(socketAddress.pointee.sa_family) {
        case AF_INET:
            let address = socketAddress.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_addr.s_addr
            }
            self.init(bits: 0xFFFF << 32 | UInt128(UInt32(bigEndian: address)))
        case AF_INET6:
            let bytes = socketAddress.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                withUnsafeBytes(of: address.pointee.sin6_addr) { Array($0) }
            }
            self.init(bits: bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }
}

extension Neighbour {
    /// Reads the laptop's neighbour table: from Linux's /proc and iproute2, else with BSD's arp.
    ///
    /// - Throws: `ModuleError` when none of them is there.
    package static func table(of laptop: any Connection) async throws -> [Neighbour] {
        func output(_ arguments: [String]) async throws -> String? {
            let result = try await laptop.run(Command(.arguments(arguments), timeout: .seconds(10)))
            return result.exitStatus == 0 ? result.outputText : nil
        }
        if let text = try await output(["cat", "/proc/net/arp"]) {
            let ipv6 = try await output(["ip", "-6", "neigh", "show"]) ?? ""
            return parse(proc: text) + parse(ipNeigh: ipv6)
        }
        if let text = try await output(["arp", "-an"]) { return parse(arp: text) }
        throw ModuleError("this machine's neighbour table cannot be read: there is no /proc/net/arp and no arp command")
    }
}
