import LabCore

/// Objects as rows, for `kubectl get` (`application/json;as=Table`): the columns that people look at.
enum Tables {
    /// Whether the client asks for a table before anything else.
    static func isWanted(_ request: APIRequest) -> Bool {
        request.accept?.split(separator: ",").first.map { $0.contains("as=Table") && $0.contains("v=v1;") } ?? false
    }

    fileprivate struct Column {
        var name: String
        var type = "string"
        /// 0 is always shown, more only with `-o wide`.
        var priority = 0
        var cell: (Value) -> Value
    }

    static func table(_ objects: [Value], _ endpoint: Endpoint, metadata: Value, now: Timestamp) -> Value {
        let columns = columns(endpoint, now: now)
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": .list(
                columns.map {
                    [
                        "name": .string($0.name), "type": .string($0.type),
                        "format": $0.name == "Name" ? "name" : "", "description": "",
                        "priority": .int($0.priority),
                    ]
                }),
            "rows": .list(
                objects.map { object in
                    [
                        "cells": .list(columns.map { $0.cell(object) }),
                        "object": [
                            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                            "metadata": object["metadata"] ?? .null,
                        ],
                    ]
                }),
        ]
    }

    private static func columns(_ endpoint: Endpoint, now: Timestamp) -> [Column] {
        var columns = [Column(name: "Name", cell: { $0[path: ["metadata", "name"]] ?? "" })]
        if endpoint.resource.isCustom {
            columns += printerColumns(endpoint)
        } else {
            columns += kindColumns(endpoint.resource.kind)
        }
        if !["Event", "CustomResourceDefinition"].contains(endpoint.resource.kind) {
            columns.append(Column(name: "Age", cell: { .string(age($0, now)) }))
        } else if endpoint.resource.kind == "CustomResourceDefinition" {
            columns.append(Column(name: "Created At", cell: { $0[path: ["metadata", "creationTimestamp"]] ?? "" }))
        }
        return columns
    }

    private static func field(_ name: String, _ path: String..., fallback: Value = "<none>") -> Column {
        Column(name: name, cell: { $0[path: path] ?? fallback })
    }

    private static func kindColumns(_ kind: String) -> [Column] {
        switch kind {
        case "Namespace": [field("Status", "status", "phase")]
        case "Node":
            [
                Column(name: "Status", cell: { $0.hasTrueCondition("Ready") ? "Ready" : "NotReady" }),
                Column(
                    name: "Roles",
                    cell: { $0.labels["node-role.kubernetes.io/control-plane"] == nil ? "<none>" : "control-plane" }),
                field("Version", "status", "nodeInfo", "kubeletVersion"),
                Column(
                    name: "Internal-IP", priority: 1,
                    cell: { $0[path: ["status", "addresses"]]?.list?.first?["address"] ?? "<none>" }),
            ]
        case "Pod":
            [
                Column(
                    name: "Ready",
                    cell: { pod in
                        let count = pod[path: ["spec", "containers"]]?.list?.count ?? 0
                        return .string("\(pod.hasTrueCondition("Ready") ? count : 0)/\(count)")
                    }), field("Status", "status", "phase"), Column(name: "Restarts", cell: { _ in "0" }),
                field("IP", "status", "podIP").wide, field("Node", "spec", "nodeName").wide,
            ]
        case "Service":
            [
                field("Type", "spec", "type"), field("Cluster-IP", "spec", "clusterIP"),
                Column(name: "External-IP", cell: { .string(externalAddress($0)) }),
                Column(name: "Port(s)", cell: { .string(ports($0)) }),
            ]
        case "Deployment":
            [
                Column(
                    name: "Ready",
                    cell: {
                        .string("\(count($0, "status", "readyReplicas"))/\(count($0, "spec", "replicas"))")
                    }), field("Up-to-date", "status", "updatedReplicas", fallback: 0),
                field("Available", "status", "availableReplicas", fallback: 0),
            ]
        case "DaemonSet":
            [
                field("Desired", "status", "desiredNumberScheduled", fallback: 0),
                field("Current", "status", "currentNumberScheduled", fallback: 0),
                field("Ready", "status", "numberReady", fallback: 0),
                field("Up-to-date", "status", "updatedNumberScheduled", fallback: 0),
                field("Available", "status", "numberAvailable", fallback: 0),
            ]
        case "ConfigMap": [Column(name: "Data", cell: { .int($0["data"]?.map?.count ?? 0) })]
        case "Secret":
            [field("Type", "type"), Column(name: "Data", cell: { .int($0["data"]?.map?.count ?? 0) })]
        case "Event":
            [field("Type", "type"), field("Reason", "reason"), field("Message", "message")]
        default: []
        }
    }

    /// `additionalPrinterColumns` whose paths are plain fields.
    private static func printerColumns(_ endpoint: Endpoint) -> [Column] {
        (endpoint.definition?.printerColumns ?? []).compactMap { column in
            guard let name = column["name"]?.string, let path = column["jsonPath"]?.string, path.hasPrefix("."),
                !path.contains("[")
            else { return nil }
            let steps = path.split(separator: ".").map { String($0) }
            return Column(
                name: name, type: column["type"]?.string ?? "string", priority: column["priority"]?.int ?? 0,
                cell: { object in
                    switch object[path: steps] {
                    case .map(let map): .string(Value.map(map).json())
                    case .list(let list): .string(Value.list(list).json())
                    case .some(let value): value
                    case nil: ""
                    }
                })
        }
    }

    private static func count(_ object: Value, _ path: String...) -> Int { object[path: path]?.int ?? 0 }

    private static func externalAddress(_ service: Value) -> String {
        let addresses = service[path: ["status", "loadBalancer", "ingress"]]?.list?.compactMap { $0["ip"]?.string }
        if let addresses, !addresses.isEmpty { return addresses.joined(separator: ",") }
        return service[path: ["spec", "type"]] == "LoadBalancer" ? "<pending>" : "<none>"
    }

    private static func ports(_ service: Value) -> String {
        let texts: [String] = (service[path: ["spec", "ports"]]?.list ?? []).map { port in
            let node = port["nodePort"]?.int.map { ":\($0)" } ?? ""
            return "\(port["port"]?.int ?? 0)\(node)/\(port["protocol"]?.string ?? "TCP")"
        }
        return texts.isEmpty ? "<none>" : texts.joined(separator: ",")
    }

    private static func age(_ object: Value, _ now: Timestamp) -> String {
        guard let text = object[path: ["metadata", "creationTimestamp"]]?.string,
            let created = Timestamp(rfc3339: text)
        else { return "<unknown>" }
        let seconds = max(now.seconds - created.seconds, 0)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7200: return "\(seconds / 60)m"
        case ..<172_800: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}

extension Tables.Column {
    /// Shown only with `-o wide`.
    fileprivate var wide: Self {
        var column = self
        column.priority = 1
        return column
    }
}
