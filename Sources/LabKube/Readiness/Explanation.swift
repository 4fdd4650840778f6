import LabCore

/// Says in the cluster's words why something does not get ready: waiting reasons, the last events, the last log lines.
///
/// Reads only, and never fails: what cannot be read is left out.
package struct Explanation: Sendable {
    let client: KubeClient

    package init(client: KubeClient) { self.client = client }

    /// Sentences about an object that is not ready; nil stands for one that does not exist.
    package func notes(about reference: ObjectReference, _ object: Value?) async -> [String] {
        guard let object else { return [] }
        var notes = await pods(of: object, reference)
        notes += await events(about: reference.name, kind: reference.kind, in: reference.namespace)
        var seen: Set<String> = []
        return notes.filter { seen.insert($0).inserted }
    }

    /// Sentences about the pods behind a webhook, from the server's complaint that it does not answer.
    func notes(aboutWebhook message: String) async -> [String] {
        // `Post "https://metallb-webhook-service.metallb-system.svc:443/validate-…`
        guard let match = message.firstMatch(of: /https:\/\/([a-z0-9-]+)\.([a-z0-9-]+)\.svc/),
            let services = BuiltInResources.find(apiVersion: "v1", kind: "Service"), let resource = Self.podResource
        else { return [] }
        let namespace = String(match.output.2)
        let name = String(match.output.1)
        guard let service = try? await client.get(services, namespace: namespace, name: name) else {
            return ["there is no Service \(namespace)/\(name)"]
        }
        let selector = (service[["spec", "selector"]]?.map ?? [:]).map { "\($0.key)=\($0.value.string ?? "")" }
        let found = try? await client.list(
            resource, namespace: namespace, labelSelector: selector.joined(separator: ","))
        guard let pods = found?.items, !pods.isEmpty else {
            return ["no pod is behind Service \(namespace)/\(name)"]
        }
        var notes: [String] = []
        for pod in pods {
            let reference = ObjectReference(
                apiVersion: "v1", kind: "Pod", namespace: namespace, name: pod[["metadata", "name"]]?.string ?? "")
            notes += await self.notes(about: reference, pod)
        }
        return notes.isEmpty ? ["the pods behind Service \(namespace)/\(name) are ready"] : notes
    }

    private static let podResource = BuiltInResources.find(apiVersion: "v1", kind: "Pod")
    private static let eventResource = BuiltInResources.find(apiVersion: "v1", kind: "Event")

    private func pods(of object: Value, _ reference: ObjectReference) async -> [String] {
        guard let namespace = reference.namespace, let resource = Self.podResource else { return [] }
        let pods: [Value]
        if reference.kind == "Pod" {
            pods = [object]
        } else {
            guard let labels = object[["spec", "selector", "matchLabels"]]?.map, !labels.isEmpty else { return [] }
            let selector = labels.map { "\($0.key)=\($0.value.string ?? "")" }.joined(separator: ",")
            pods =
                (try? await client.list(resource, namespace: namespace, labelSelector: selector).items) ?? []
        }
        var notes: [String] = []
        var problems: Set<PodProblem> = []
        for pod in pods where !Readiness(of: pod).isReady {
            let name = pod[["metadata", "name"]]?.string ?? ""
            let node = pod[["spec", "nodeName"]]?.string.map { " on \($0)" } ?? ""
            guard let problem = PodProblem(pod: pod) else {
                if let text = Readiness(of: pod).text { notes.append("pod \(name)\(node): \(text)") }
                notes += await events(about: name, kind: "Pod", in: namespace)
                continue
            }
            // Ten pods that fail for one reason are told as one.
            guard problems.insert(problem).inserted else { continue }
            notes.append("pod \(name)\(node): \(problem.text)")
            if problem.hasLog { notes += await log(of: name, in: namespace, problem) }
            notes += await events(about: name, kind: "Pod", in: namespace)
            if notes.count > 12 { break }
        }
        return notes
    }

    private func log(of pod: String, in namespace: String, _ problem: PodProblem) async -> [String] {
        guard let resource = Self.podResource else { return [] }
        let query: [(name: String, value: String)] = [
            ("container", problem.container), ("tailLines", "5"),
            ("previous", problem.reason == "CrashLoopBackOff" ? "true" : "false"),
        ]
        let path = resource.path(namespace: namespace, name: pod) + "/log" + queryString(query)
        guard let response = try? await client.send(HTTPRequest(.get, path, accept: "*/*")), response.status == 200
        else { return [] }
        return String(decoding: response.body, as: UTF8.self).split(separator: "\n").map { "  log: \($0)" }
    }

    /// The last warnings about an object, newest last.
    private func events(about name: String, kind: String, in namespace: String?) async -> [String] {
        guard let resource = Self.eventResource else { return [] }
        let selector = "involvedObject.name=\(name),involvedObject.kind=\(kind)"
        let items =
            (try? await client.list(resource, namespace: namespace ?? "default", fieldSelector: selector).items) ?? []
        func time(_ event: Value) -> String {
            event["lastTimestamp"]?.string ?? event["eventTime"]?.string
                ?? event[["metadata", "creationTimestamp"]]?.string ?? ""
        }
        return items.filter { $0["type"]?.string != "Normal" }.sorted { time($0) < time($1) }.suffix(3).map { event in
            let count = event["count"]?.int.map { $0 > 1 ? " (\($0) times)" : "" } ?? ""
            return "event: \(event["reason"]?.string ?? ""): \(event["message"]?.string ?? "")\(count)"
        }
    }
}
