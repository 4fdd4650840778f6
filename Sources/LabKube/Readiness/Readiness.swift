import LabCore

/// How far an object is.
package enum Readiness: Sendable, Hashable {
    case ready
    /// Not yet; the text says what is missing: `2 of 3 ready`.
    case waiting(String)
    /// It will not get ready by waiting.
    case failed(String)

    package var isReady: Bool { self == .ready }

    /// What is missing, or nil when nothing is.
    package var text: String? {
        switch self {
        case .ready: nil
        case .waiting(let text), .failed(let text): text
        }
    }
}

extension Readiness {
    /// Judges an object by kstatus' rules (cli-utils pkg/kstatus/status/core.go) where those are right, and more strictly
    /// where they are not: a DaemonSet with nothing desired and a LoadBalancer Service without an address are not ready.
    package init(of object: Value) {
        self = Self.general(object) ?? Self.specific(object)
    }

    /// What holds for every kind; nil when it says nothing.
    private static func general(_ object: Value) -> Readiness? {
        if object[["metadata", "deletionTimestamp"]]?.string != nil { return .waiting("it is being deleted") }
        let generation = object[["metadata", "generation"]]?.int
        if let observed = object[["status", "observedGeneration"]]?.int, let generation, observed != generation {
            return .waiting("the controller has not seen the latest change yet")
        }
        if let stalled = condition("Stalled", of: object), stalled.status == "True" {
            return .failed(stalled.text)
        }
        if let reconciling = condition("Reconciling", of: object), reconciling.status == "True" {
            return .waiting(reconciling.text)
        }
        return nil
    }

    private static func specific(_ object: Value) -> Readiness {
        let group = object["apiVersion"]?.string.map { splitAPIVersion($0).group } ?? ""
        switch (group, object["kind"]?.string ?? "") {
        case ("apps", "Deployment"): return deployment(object)
        case ("apps", "DaemonSet"): return daemonSet(object)
        case ("apps", "StatefulSet"): return statefulSet(object)
        case ("apps", "ReplicaSet"): return replicaSet(object)
        case ("batch", "Job"): return job(object)
        case ("", "Pod"): return pod(object)
        case ("", "Namespace"): return phase(object, wanted: "Active", missing: .ready)
        case ("", "PersistentVolumeClaim"): return phase(object, wanted: "Bound", missing: .waiting("not bound"))
        case ("", "Service"): return service(object)
        case ("", "Node"): return wanted(condition: "Ready", of: object)
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            if let names = condition("NamesAccepted", of: object), names.status == "False" {
                return .failed(names.text)
            }
            return wanted(condition: "Established", of: object)
        case ("apiregistration.k8s.io", "APIService"): return wanted(condition: "Available", of: object)
        default: return custom(object)
        }
    }

    // MARK: Conditions

    /// An entry of `status.conditions`, with empty texts for what it does not say.
    package struct Condition: Sendable, Hashable {
        package let type: String
        package let status: String
        package let reason: String
        package let message: String

        /// In the cluster's words.
        package var text: String {
            message.isEmpty ? (reason.isEmpty ? "\(type) is \(status)" : "\(type) is \(status): \(reason)") : message
        }
    }

    /// A condition of `status.conditions`.
    package static func condition(_ type: String, of object: Value) -> Condition? {
        (object[["status", "conditions"]]?.list ?? []).first { $0["type"]?.string == type }.map {
            Condition(
                type: type, status: $0["status"]?.string ?? "", reason: $0["reason"]?.string ?? "",
                message: $0["message"]?.string ?? "")
        }
    }

    private static func wanted(condition type: String, of object: Value) -> Readiness {
        guard let found = condition(type, of: object) else { return .waiting("\(type) is not known yet") }
        return found.status == "True" ? .ready : .waiting(found.text)
    }

    /// Kinds that no rule knows: ready, unless they themselves say that they are not.
    private static func custom(_ object: Value) -> Readiness {
        if let ready = condition("Ready", of: object), ready.status != "True" { return .waiting(ready.text) }
        return .ready
    }

    // MARK: Workloads

    private static func number(_ key: String, of object: Value) -> Int { object[["status", key]]?.int ?? 0 }

    private static func deployment(_ object: Value) -> Readiness {
        if let progress = condition("Progressing", of: object), progress.reason == "ProgressDeadlineExceeded" {
            return .failed(progress.text)
        }
        guard object[["status", "observedGeneration"]] != nil else {
            return .waiting("the controller has not seen it yet")
        }
        let wanted = object[["spec", "replicas"]]?.int ?? 1
        let updated = number("updatedReplicas", of: object)
        if updated < wanted { return .waiting("\(updated) of \(wanted) updated") }
        let all = number("replicas", of: object)
        if all > updated { return .waiting("\(all - updated) old still to be stopped") }
        let ready = number("readyReplicas", of: object)
        if ready < wanted { return .waiting("\(ready) of \(wanted) ready") }
        let available = number("availableReplicas", of: object)
        if available < updated { return .waiting("\(available) of \(updated) available") }
        if let condition = condition("Available", of: object), condition.status != "True" {
            return .waiting(condition.text)
        }
        return .ready
    }

    private static func daemonSet(_ object: Value) -> Readiness {
        guard object[["status", "observedGeneration"]] != nil else {
            return .waiting("the controller has not seen it yet")
        }
        let wanted = number("desiredNumberScheduled", of: object)
        if wanted == 0 { return .waiting("no node is eligible for it") }
        for (key, word) in [
            ("currentNumberScheduled", "scheduled"), ("updatedNumberScheduled", "updated"), ("numberReady", "ready"),
            ("numberAvailable", "available"),
        ] {
            let count = number(key, of: object)
            if count < wanted { return .waiting("\(count) of \(wanted) \(word)") }
        }
        return .ready
    }

    private static func statefulSet(_ object: Value) -> Readiness {
        if object[["spec", "updateStrategy", "type"]]?.string == "OnDelete" { return .ready }
        guard object[["status", "observedGeneration"]] != nil else {
            return .waiting("the controller has not seen it yet")
        }
        let wanted = object[["spec", "replicas"]]?.int ?? 1
        let ready = number("readyReplicas", of: object)
        if ready < wanted { return .waiting("\(ready) of \(wanted) ready") }
        if number("replicas", of: object) > wanted {
            return .waiting("\(number("replicas", of: object) - wanted) too many")
        }
        let partition = object[["spec", "updateStrategy", "rollingUpdate", "partition"]]?.int ?? 0
        if partition > 0 {
            let updated = number("updatedReplicas", of: object)
            return updated < wanted - partition ? .waiting("\(updated) of \(wanted - partition) updated") : .ready
        }
        let current = object[["status", "currentRevision"]]?.string
        let update = object[["status", "updateRevision"]]?.string
        return current == update ? .ready : .waiting("\(number("updatedReplicas", of: object)) of \(wanted) updated")
    }

    private static func replicaSet(_ object: Value) -> Readiness {
        let wanted = object[["spec", "replicas"]]?.int ?? 1
        let ready = number("readyReplicas", of: object)
        let available = number("availableReplicas", of: object)
        if ready < wanted { return .waiting("\(ready) of \(wanted) ready") }
        if available < wanted { return .waiting("\(available) of \(wanted) available") }
        return number("replicas", of: object) > wanted ? .waiting("too many still run") : .ready
    }

    /// Done, not merely started: a role waits for a Job because it needs what the Job does.
    private static func job(_ object: Value) -> Readiness {
        if let failed = condition("Failed", of: object), failed.status == "True" { return .failed(failed.text) }
        if let complete = condition("Complete", of: object), complete.status == "True" { return .ready }
        if object[["spec", "suspend"]]?.bool == true { return .waiting("it is suspended") }
        let wanted = object[["spec", "completions"]]?.int ?? 1
        return .waiting("\(number("succeeded", of: object)) of \(wanted) completed")
    }

    private static func pod(_ object: Value) -> Readiness {
        switch object[["status", "phase"]]?.string {
        case "Succeeded": return .ready
        case "Failed":
            return .failed(
                object[["status", "message"]]?.string ?? object[["status", "reason"]]?.string ?? "it failed")
        default: break
        }
        if let ready = condition("Ready", of: object), ready.status == "True" { return .ready }
        if let problem = PodProblem(pod: object) { return .waiting(problem.text) }
        if let scheduled = condition("PodScheduled", of: object), scheduled.status != "True" {
            return .waiting(scheduled.text)
        }
        return .waiting(object[["status", "phase"]]?.string.map { "it is \($0)" } ?? "it has not started")
    }

    // MARK: Others

    private static func phase(_ object: Value, wanted: String, missing: Readiness) -> Readiness {
        guard let phase = object[["status", "phase"]]?.string else { return missing }
        return phase == wanted ? .ready : .waiting("it is \(phase)")
    }

    private static func service(_ object: Value) -> Readiness {
        guard object[["spec", "type"]]?.string == "LoadBalancer" else { return .ready }
        let ingress = object[["status", "loadBalancer", "ingress"]]?.list ?? []
        let hasAddress = ingress.contains { $0["ip"]?.string != nil || $0["hostname"]?.string != nil }
        return hasAddress ? .ready : .waiting("no address has been assigned")
    }
}

/// Why a pod's containers do not run, in the kubelet's words.
struct PodProblem: Sendable, Hashable {
    let container: String
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `CreateContainerConfigError`.
    let reason: String
    let message: String

    var text: String { message.isEmpty ? "\(container): \(reason)" : "\(container): \(reason): \(message)" }
    /// Whether the container ran and ended, so that its log says more.
    var hasLog: Bool { reason == "CrashLoopBackOff" || reason == "Error" || reason == "OOMKilled" }

    init?(pod: Value) {
        let statuses =
            (pod[["status", "initContainerStatuses"]]?.list ?? []) + (pod[["status", "containerStatuses"]]?.list ?? [])
        for status in statuses {
            let name = status["name"]?.string ?? ""
            if let waiting = status[["state", "waiting"]], let reason = waiting["reason"]?.string,
                reason != "PodInitializing", reason != "ContainerCreating"
            {
                container = name
                self.reason = reason
                message = waiting["message"]?.string ?? ""
                return
            }
            if let ended = status[["state", "terminated"]], ended["exitCode"]?.int ?? 0 != 0 {
                container = name
                reason = ended["reason"]?.string ?? "Error"
                message = ended["message"]?.string ?? "exit code \(ended["exitCode"]?.int ?? 0)"
                return
            }
        }
        return nil
    }
}
