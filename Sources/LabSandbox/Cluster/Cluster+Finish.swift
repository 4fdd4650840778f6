import LabCore

extension Cluster {
    /// The second half of every write: defaults, what the server itself writes, validation, admission, and storing
    /// unless nothing changed or it is a dry run.
    func finish(
        _ endpoint: Endpoint, _ target: APITarget, _ object: Value, owners: ManagedFields,
        manager: ManagedFields.Manager, live: Value?, dryRun: Bool
    ) throws(APIStatus) -> APIResponse {
        let resource = endpoint.resource
        var object = object
        let name = object.objectName
        let key = endpoint.key(target.namespace, name)
        prepareMetadata(&object, endpoint, target, live: live)
        if resource.kind == "Secret", resource.groupVersion.group.isEmpty { encodeStringData(&object) }
        let isStatusWrite = target.subresource == "status"
        if isStatusWrite, let live {
            var rest = live
            rest["status"] = object["status"]
            if !resource.isCustom {
                rest.set(["metadata", "labels"], object[path: ["metadata", "labels"]])
                rest.set(["metadata", "annotations"], object[path: ["metadata", "annotations"]])
            }
            rest["apiVersion"] = object["apiVersion"]
            object = rest
        } else if resource.hasStatus {
            object["status"] = live?["status"]
        }
        if let schema = endpoint.schema {
            var unknown: [String] = []
            object = endpoint.type.pruned(object, unknown: &unknown)
            object = customDefaults(schema, in: object)
        } else {
            Defaults.apply(to: &object, resource.groupVersion, resource.kind)
            initialStatus(&object, resource, isNew: live == nil)
            if resource.kind == "Service" {
                var allocation = addresses
                allocation.complete(&object, live: live)
                if !dryRun { addresses = allocation }
            }
        }
        setGeneration(&object, resource, live: live)
        try Validation.check(object, live: live, endpoint)
        object.set(["metadata", "managedFields"], nil)
        if !isStatusWrite { try admit(object, live: live, endpoint) }

        let before = live.map { ManagedFields($0[path: ["metadata", "managedFields"]]) } ?? ManagedFields()
        if let live, isSame(object, live), owners.withoutTimes == before.withoutTimes {
            return .object(try shown(live, endpoint))
        }
        var owners = owners
        if owners.entries[manager] != nil { owners.entries[manager]?.time = "\(now)" }
        if !owners.entries.isEmpty { object.set(["metadata", "managedFields"], owners.encoded) }
        if dryRun {
            object.set(["metadata", "resourceVersion"], live?[path: ["metadata", "resourceVersion"]])
            return .object(object.inServerOrder, status: live == nil ? 201 : 200)
        }
        if live != nil, object[path: ["metadata", "deletionTimestamp"]] != nil,
            object[path: ["metadata", "finalizers"]]?.list?.isEmpty ?? true, resource.kind != "Namespace"
        {
            return .object(discard(key) ?? object)
        }
        let stored = commit(object, at: key)
        return .object(try shown(stored, endpoint), status: live == nil ? 201 : 200)
    }

    private func isSame(_ object: Value, _ live: Value) -> Bool {
        var object = object
        var live = live
        object["apiVersion"] = live["apiVersion"]
        for path in [["metadata", "managedFields"], ["metadata", "resourceVersion"]] {
            object.set(path, nil)
            live.set(path, nil)
        }
        return object == live
    }

    private func prepareMetadata(_ object: inout Value, _ endpoint: Endpoint, _ target: APITarget, live: Value?) {
        object["apiVersion"] = .string("\(endpoint.resource.groupVersion)")
        object["kind"] = .string(endpoint.resource.kind)
        if endpoint.resource.isNamespaced, let namespace = target.namespace {
            object.set(["metadata", "namespace"], .string(namespace))
        }
        let kept = [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
            "resourceVersion", "selfLink",
        ]
        for field in kept { object.set(["metadata", field], live?[path: ["metadata", field]]) }
        if live == nil {
            object.set(["metadata", "uid"], .string(UUID4.random()))
            object.set(["metadata", "creationTimestamp"], .string("\(now)"))
        }
        for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
            let value = object[path: ["metadata", field]]
            if value?.isNull == true || value?.map?.isEmpty == true || value?.list?.isEmpty == true {
                object.set(["metadata", field], nil)
            }
        }
    }

    /// A generation counts the changes of what is wanted: everything but metadata and status.
    private func setGeneration(_ object: inout Value, _ resource: APIResource, live: Value?) {
        let group = resource.groupVersion.group
        guard
            resource.isCustom
                || [
                    "apps", "apiextensions.k8s.io", "admissionregistration.k8s.io",
                    "discovery.k8s.io",
                ].contains(group)
        else { return }
        if resource.kind == "DaemonSet" { setTemplateGeneration(&object, live: live) }
        guard let live else { return object.set(["metadata", "generation"], 1) }
        var wanted = object
        var former = live
        for field in ["metadata", "apiVersion"] { (wanted[field], former[field]) = (nil, nil) }
        if resource.hasStatus || group == "apiextensions.k8s.io" { (wanted["status"], former["status"]) = (nil, nil) }
        let generation = live[path: ["metadata", "generation"]]?.int ?? 1
        object.set(["metadata", "generation"], .int(wanted == former ? generation : generation + 1))
    }

    /// DaemonSets count the changes of their template in an annotation, from the time before they had a status for it.
    private func setTemplateGeneration(_ object: inout Value, live: Value?) {
        let path = ["metadata", "annotations", "deprecated.daemonset.template.generation"]
        let former = live?[path: path]?.string.flatMap { Int($0) }
        let isSame = live?[path: ["spec", "template"]] == object[path: ["spec", "template"]]
        object.put(path, .string(String(former.map { isSame ? $0 : $0 + 1 } ?? 1)))
    }

    private func initialStatus(_ object: inout Value, _ resource: APIResource, isNew: Bool) {
        guard isNew, object["status"] == nil else { return }
        switch resource.kind {
        case "Deployment": object["status"] = .map([:])
        case "ReplicaSet": object["status"] = ["replicas": 0]
        case "DaemonSet":
            object["status"] = [
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            ]
        case "Pod": object["status"] = ["phase": "Pending", "qosClass": "BestEffort"]
        default: break
        }
    }

    private func encodeStringData(_ object: inout Value) {
        guard let plain = object["stringData"]?.map else { return }
        object["stringData"] = nil
        object.fill(["data"], .map([:]))
        for (key, value) in plain {
            object.set(["data", key], .string(Base64.encode(Array((value.string ?? "").utf8))))
        }
    }
}

extension ManagedFields {
    fileprivate var withoutTimes: ManagedFields {
        var copy = self
        for manager in copy.entries.keys { copy.entries[manager]?.time = nil }
        return copy
    }
}
