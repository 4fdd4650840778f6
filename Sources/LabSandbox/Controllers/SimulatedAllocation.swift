import LabCore

/// MetalLB's controller at work on Services: addresses from pools, and events.
extension Cluster {
    static let annotation = "metallb.io/ip-allocated-from-pool"

    /// Gives every LoadBalancer Service its address and takes back what is no longer justified.
    func allocateAddresses() {
        guard metalLB.webhook == .serving else { return }
        let pools = AddressPools(store.list("metallb.io/ipaddresspools", namespace: nil).map(\.object))
        let services = store.list("/services", namespace: nil)
        var used: [IPAddress: String] = [:]
        for service in services {
            guard let address = Self.ingress(service.object) else { continue }
            let isLoadBalancer = service.object[path: ["spec", "type"]] == "LoadBalancer"
            let pool = pools.pools.first { pool in pool.blocks.contains { $0.contains(address) } }
            if isLoadBalancer, let pool {
                used[address] = pool.name
            } else {
                release(service.key)
            }
        }
        for service in services {
            guard let object = store[service.key], object[path: ["spec", "type"]] == "LoadBalancer",
                object[path: ["spec", "loadBalancerClass"]] == nil
            else { continue }
            if let address = Self.ingress(object) {
                announce(service.key, object, address)
            } else {
                allocate(service.key, object, pools, &used)
            }
        }
        forgetStatuses()
    }

    static func ingress(_ service: Value) -> IPAddress? {
        service[path: ["status", "loadBalancer", "ingress"]]?.list?.first?["ip"]?.string.flatMap { IPAddress($0) }
    }

    private func allocate(
        _ key: ObjectKey, _ service: Value, _ pools: AddressPools, _ used: inout [IPAddress: String]
    ) {
        let annotations = service[path: ["metadata", "annotations"]]?.map ?? [:]
        func annotation(_ name: String) -> String? {
            (annotations["metallb.io/\(name)"] ?? annotations["metallb.universe.tf/\(name)"])?.string
        }
        let requested = annotation("loadBalancerIPs") ?? service[path: ["spec", "loadBalancerIP"]]?.string
        let poolName = annotation("address-pool")
        var found: (pool: String, address: IPAddress)?
        if let requested {
            guard let address = IPAddress(requested),
                let pool = pools.pools.first(where: { $0.blocks.contains { $0.contains(address) } })
            else {
                return event(
                    key, service, "AllocationFailed",
                    "Failed to allocate IP for \"\(key.namespace)/\(key.name)\": [\"\(requested)\"] is not allowed "
                        + "in config", type: "Warning")
            }
            guard used[address] == nil else {
                return event(
                    key, service, "AllocationFailed",
                    "Failed to allocate IP for \"\(key.namespace)/\(key.name)\": can't change sharing key for "
                        + "\"\(key.namespace)/\(key.name)\", address also in use", type: "Warning")
            }
            found = (pool.name, address)
        } else {
            let candidates = pools.pools.filter { pool in
                if let poolName { pool.name == poolName } else { pool.assignsByItself }
            }
            for pool in candidates where found == nil {
                if let address = Self.free(pool, used) { found = (pool.name, address) }
            }
        }
        guard let found else {
            let reason = poolName.map { "no available IPs in pool \"\($0)\"" } ?? "no available IPs"
            return event(
                key, service, "AllocationFailed",
                "Failed to allocate IP for \"\(key.namespace)/\(key.name)\": \(reason)", type: "Warning")
        }
        used[found.address] = found.pool
        event(key, service, "IPAllocated", "Assigned IP [\"\(found.address)\"]", type: "Normal")
        control(
            "v1", "services", namespace: key.namespace, name: key.name, manager: "metallb-controller",
            subresource: "status"
        ) { object in
            object.fill(["metadata", "annotations"], .map([:]))
            object.set(["metadata", "annotations", Self.annotation], .string(found.pool))
            object.put(
                ["status", "loadBalancer", "ingress"], [["ip": .string("\(found.address)"), "ipMode": "VIP"]])
        }
    }

    private static func free(_ pool: AddressPools.Pool, _ used: [IPAddress: String]) -> IPAddress? {
        for block in pool.blocks {
            var bits = block.first.bits
            // A Service takes one address: more than the used ones never have to be tried.
            for _ in 0...(used.count + 512) where bits <= block.last.bits {
                let address = IPAddress(bits: bits, isV6: block.first.isV6)
                let isBuggy = pool.avoidsBuggyAddresses && !address.isV6 && (bits & 0xFF == 0 || bits & 0xFF == 255)
                if used[address] == nil, !isBuggy { return address }
                if bits == block.last.bits { break }
                bits += 1
            }
        }
        return nil
    }

    private func release(_ key: ObjectKey) {
        control(
            "v1", "services", namespace: key.namespace, name: key.name, manager: "metallb-controller",
            subresource: "status"
        ) { object in
            object.set(["metadata", "annotations", Self.annotation], nil)
            if object[path: ["metadata", "annotations"]]?.map?.isEmpty == true {
                object.set(["metadata", "annotations"], nil)
            }
            object.set(["status", "loadBalancer"], .map([:]))
        }
    }

    /// A status of a Service that is gone, or has no address, goes.
    private func forgetStatuses() {
        for status in store.list("metallb.io/servicel2statuses", namespace: nil) {
            let name = status.object.labels["metallb.io/service-name"]?.string ?? ""
            let namespace = status.object.labels["metallb.io/service-namespace"]?.string ?? ""
            let service = store[ObjectKey(resource: "/services", namespace: namespace, name: name)]
            if service.flatMap({ Self.ingress($0) }) == nil { _ = discard(status.key) }
        }
    }

    /// - Parameter repeats: whether an event that was there before is there once more, as a recorder counts them.
    func event(
        _ key: ObjectKey, _ object: Value, _ reason: String, _ message: String, type: String,
        component: String = "metallb-controller", repeats: Bool = false
    ) {
        let known = store.list("/events", namespace: key.namespace).first {
            $0.object[path: ["involvedObject", "uid"]]?.string == object.uid
                && $0.object["message"]?.string == message
        }
        let time = Value.string("\(now)")
        if let known {
            guard repeats else { return }
            return control("v1", "events", namespace: key.namespace, name: known.key.name, manager: component) {
                event in
                event["lastTimestamp"] = time
                event["count"] = .int((event["count"]?.int ?? 1) + 1)
            }
        }
        controlCreate(
            "v1", "events", manager: component,
            [
                "metadata": [
                    "name": .string("\(key.name).\(String(store.revision, radix: 16))\(UUID4.suffix())"),
                    "namespace": .string(key.namespace),
                ],
                "involvedObject": [
                    "kind": "Service", "namespace": .string(key.namespace), "name": .string(key.name),
                    "uid": .string(object.uid), "apiVersion": "v1",
                    "resourceVersion": .string(object.resourceVersion),
                ],
                "reason": .string(reason), "message": .string(message), "source": ["component": .string(component)],
                "firstTimestamp": time, "lastTimestamp": time, "count": 1, "type": .string(type),
                "reportingComponent": .string(component),
            ])
    }
}
