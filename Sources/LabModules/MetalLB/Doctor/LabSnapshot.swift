import LabCore

/// What the checks of a lab look at: objects of the API, and what was seen beside it. Nil is what could not be read;
/// `unreadable` says why.
package struct LabSnapshot: Sendable {
    package var nodes: [Value]?
    /// Of all namespaces.
    package var daemonSets: [Value]?
    /// Of all namespaces.
    package var deployments: [Value]?
    /// Of all namespaces.
    package var services: [Value]?
    /// Of MetalLB's namespace.
    package var endpointSlices: [Value]?
    /// Of MetalLB's namespace.
    package var secrets: [Value]?
    package var webhookConfigurations: [Value]?
    package var definitions: [Value]?
    package var namespaces: [Value]?
    /// IPAddressPools, L2Advertisements and BGPAdvertisements.
    package var configuration: [Value]?
    /// Of all namespaces.
    package var events: [Value]?
    /// `config.conf` of the ConfigMap kube-system/kube-proxy; `.null` where there is no such ConfigMap.
    package var kubeProxy: Value?
    /// `gitVersion` of the API server.
    package var serverVersion: String?
    /// MetalLB's namespace.
    package var namespace: String

    /// The names of each node's network interfaces.
    package var interfaces: [String: [String]]?
    /// Whether TCP port 7946 of one node answers another.
    package var memberlistPaths: [MemberlistPath]?
    /// What the webhook said to a pool that was only tried; nil when it was not asked.
    package var webhookAnswer: WebhookAnswer?
    package var laptop: Laptop?
    /// What could not be read, by the name of the thing, and why.
    package var unreadable: [(what: String, why: String)]

    /// What came of a dry run that the webhook has to judge.
    package enum WebhookAnswer: Sendable, Hashable {
        case answered
        case silent(why: String)
    }

    /// One direction between two nodes.
    package struct MemberlistPath: Sendable, Hashable {
        package let from: String
        package let to: String
        package let isOpen: Bool

        package init(from: String, to: String, isOpen: Bool) {
            self.from = from
            self.to = to
            self.isOpen = isOpen
        }
    }

    /// Addresses from `first` to `last`.
    package struct DHCPRange: Sendable, Hashable {
        package let first: IPAddress
        package let last: IPAddress

        /// Reads `VBoxManage list dhcpservers`: a block for each server, of which those that are not enabled are left out.
        package static func parse(_ text: String) -> [DHCPRange] {
            var found: [DHCPRange] = []
            var fields: [String: String] = [:]
            func end() {
                defer { fields = [:] }
                guard fields["Enabled"] == "Yes", let first = fields["LowerIPAddress"].flatMap({ IPAddress($0) }),
                    let last = fields["UpperIPAddress"].flatMap({ IPAddress($0) })
                else { return }
                found.append(DHCPRange(first: first, last: last))
            }
            for line in text.split(whereSeparator: \.isNewline) {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let key = line[..<colon].split(separator: " ").joined(separator: " ")
                let value = line[line.index(after: colon)...].split(separator: " ").joined(separator: " ")
                if key == "NetworkName" { end() }
                // Older ones call the range lowerIPAddress.
                fields[key.prefix(1).uppercased() + key.dropFirst()] = value
            }
            end()
            return found
        }
    }

    /// What the laptop knows of the network that it shares with the lab.
    package struct Laptop: Sendable {
        /// The laptop's own addresses.
        package var addresses: [IPAddress]
        /// Addresses that answered ARP of late, with the MAC address that did.
        package var neighbours: [Neighbour]
        /// What DHCP servers of VirtualBox that are switched on give away.
        package var dhcpRanges: [DHCPRange] = []
        /// As `VBoxManage --version` says it; nil where there is no VirtualBox.
        package var virtualBoxVersion: String?
        /// The text of /etc/vbox/networks.conf; nil where there is no such file.
        package var virtualBoxNetworks: String?

        package init(
            addresses: [IPAddress] = [], neighbours: [Neighbour] = [], virtualBoxVersion: String? = nil,
            virtualBoxNetworks: String? = nil
        ) {
            self.addresses = addresses
            self.neighbours = neighbours
            self.virtualBoxVersion = virtualBoxVersion
            self.virtualBoxNetworks = virtualBoxNetworks
        }
    }

    package init(namespace: String = "metallb-system") {
        self.namespace = namespace
        self.unreadable = []
    }

    /// Why `what` is nil, as the end of a sentence.
    func reason(_ what: String) -> String {
        unreadable.first { $0.what == what }?.why ?? "it was not read"
    }

    var metallb: MetalLBObjects? { configuration.map { MetalLBObjects($0) } }

    /// The DaemonSet that announces; nil when MetalLB is not installed, or DaemonSets could not be read.
    var speaker: Value? { daemonSets?.first { $0.isNamed("speaker", in: namespace) } }

    var controller: Value? { deployments?.first { $0.isNamed("controller", in: namespace) } }

    /// The release of MetalLB that a run is about to bring, `0.14.9`; nil to go by what runs.
    package var comingVersion: String?
    /// Whether the speakers that a run is about to bring pass over the exclude label; nil to go by what runs.
    package var comingIgnoresLabel: Bool?

    /// The release of MetalLB that counts: the coming one, else what runs, from the speaker's image.
    var metallbVersion: String? {
        if let comingVersion { return comingVersion }
        guard let image = speaker?.containers.first?["image"]?.string,
            let tag = image.split(separator: ":").last, tag.hasPrefix("v")
        else { return nil }
        return String(tag.dropFirst())
    }
}

extension Value {
    /// The name of an API object.
    var objectName: String { self[["metadata", "name"]]?.string ?? "" }

    func isNamed(_ name: String, in namespace: String) -> Bool {
        objectName == name && self[["metadata", "namespace"]]?.string == namespace
    }

    /// The containers of a workload's template.
    var containers: [Value] { self[["spec", "template", "spec", "containers"]]?.list ?? [] }

    /// A Node's addresses of one type.
    func addresses(ofType type: String) -> [String] {
        (self[["status", "addresses"]]?.list ?? []).filter { $0["type"]?.string == type }
            .compactMap { $0["address"]?.string }
    }

    /// A node's or workload's condition: `True`, `False` or `Unknown`.
    func condition(_ type: String) -> String? {
        (self[["status", "conditions"]]?.list ?? []).first { $0["type"]?.string == type }?["status"]?.string
    }
}
