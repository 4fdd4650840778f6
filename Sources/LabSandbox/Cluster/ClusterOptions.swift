#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the simulated cluster is set up.
package struct ClusterOptions: Sendable {
    /// A node of the simulated cluster.
    package struct Node: Sendable {
        package var name: String
        package var address: String
        package var isControlPlane: Bool

        package init(name: String, address: String, isControlPlane: Bool = false) {
            self.name = name
            self.address = address
            self.isControlPlane = isControlPlane
        }
    }

    package var nodes: [Node] = [
        Node(name: "cp1", address: "192.168.56.10", isControlPlane: true),
        Node(name: "w1", address: "192.168.56.11"),
        Node(name: "w2", address: "192.168.56.12"),
    ]
    /// Whether the nodes' addresses are on a network that the laptop shares with them, where addresses of pools can
    /// really be held (Scripts/namespaces); the server's version says so.
    package var isOnLabNetwork = false
    package var delays = SimulatedDelays()
    /// How many changes watches can go back.
    package var historyLimit = 1024
    /// The wall clock behind creationTimestamp and the times of managedFields.
    package var now: @Sendable () -> Timestamp = ClusterOptions.wallClock

    /// How the simulated controllers wait; tests hold them here.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    package init() {}

    @Sendable private static func wallClock() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int(time.tv_sec), microseconds: Int(time.tv_nsec) / 1000)
    }
}

/// How long the simulated controllers take; each from the event before it.
package struct SimulatedDelays: Sendable {
    /// A CRD is created → its names are accepted and it is served.
    package var definitionEstablished: Duration = .milliseconds(60)
    /// A Deployment or DaemonSet is written → its first pods exist.
    package var podsCreated: Duration = .milliseconds(80)
    /// A pod exists → it is ready. The pods of one set follow each other at this distance.
    package var podReady: Duration = .milliseconds(350)
    /// MetalLB's controller runs → it writes its certificate into Secret, CRD and webhook configuration.
    package var certificateRotated: Duration = .milliseconds(120)
    /// Its pod is ready → the webhook's Service has an endpoint.
    package var webhookEndpoint: Duration = .milliseconds(400)
    /// The webhook has an endpoint → something listens there.
    package var webhookListening: Duration = .milliseconds(800)
    /// Somebody changes the CRD's caBundle → MetalLB's controller writes its own again.
    package var certificateRestored: Duration = .milliseconds(150)
    /// A LoadBalancer Service or a pool is written → the Service has its address.
    package var addressAllocated: Duration = .milliseconds(150)
    /// Something is deleted that controllers have to finish (a namespace, a CRD, what owns other objects) → they do, or
    /// say what keeps them.
    package var contentDeleted: Duration = .milliseconds(60)

    package init() {}

    /// Every step after the same short time.
    package static func each(_ duration: Duration) -> SimulatedDelays {
        var delays = SimulatedDelays()
        delays.definitionEstablished = duration
        delays.podsCreated = duration
        delays.podReady = duration
        delays.certificateRotated = duration
        delays.webhookEndpoint = duration
        delays.webhookListening = duration
        delays.certificateRestored = duration
        delays.addressAllocated = duration
        delays.contentDeleted = duration
        return delays
    }
}
