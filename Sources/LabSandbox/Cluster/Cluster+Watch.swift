import LabCore

/// One watch.
struct Watcher: Sendable {
    let endpoint: Endpoint
    let namespace: String?
    let filter: ListFilter
    let continuation: AsyncStream<[UInt8]>.Continuation

    /// Sends the change, when the watch is about it. An object that comes to match is ADDED, one that ceases to is
    /// DELETED.
    func note(_ change: Change) {
        guard change.key.resource == endpoint.resource.storageKey,
            !endpoint.resource.isNamespaced || namespace == nil || namespace == change.key.namespace
        else { return }
        let isNow = change.kind != .deleted && filter.matches(change.object)
        let wasBefore = change.previous.map { filter.matches($0) } ?? false
        switch (wasBefore, isNow) {
        case (false, true): send("ADDED", change.object)
        case (true, true): send("MODIFIED", change.object)
        case (true, false): send("DELETED", change.object)
        case (false, false): break
        }
    }

    func send(_ type: String, _ object: Value) {
        var object = object
        if type != "ERROR" { object["apiVersion"] = .string("\(endpoint.resource.groupVersion)") }
        let event: Value = ["type": .string(type), "object": object]
        continuation.yield(event.jsonBytes() + [0x0A])
    }

    func bookmark(_ revision: Int, endsInitialEvents: Bool = false) {
        var metadata: ValueMap = ["resourceVersion": .string(String(revision)), "creationTimestamp": .null]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        send("BOOKMARK", ["kind": .string(endpoint.resource.kind), "apiVersion": "", "metadata": .map(metadata)])
    }
}

extension Cluster {
    func watch(_ endpoint: Endpoint, _ target: APITarget, _ request: APIRequest) throws(APIStatus) -> APIResponse {
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let namespace = endpoint.resource.isNamespaced ? target.namespace : nil
        let watcher = Watcher(
            endpoint: endpoint, namespace: namespace, filter: try ListFilter(request), continuation: continuation)
        let version = request.parameter("resourceVersion") ?? ""
        let sendsInitial = request.flag("sendInitialEvents")
        if version.isEmpty || version == "0" || sendsInitial {
            for item in store.list(endpoint.resource.storageKey, namespace: namespace)
            where watcher.filter.matches(item.object) { watcher.send("ADDED", item.object) }
            if sendsInitial { watcher.bookmark(store.revision, endsInitialEvents: true) }
        } else {
            guard let revision = Int(version) else {
                throw .badRequest("invalid resource version \"\(version)\"")
            }
            if revision < store.compactedRevision {
                let expired = APIStatus(
                    410, "Expired", "too old resource version: \(revision) (\(store.compactedRevision))")
                watcher.send("ERROR", expired.body)
                continuation.finish()
                return watchResponse(stream)
            }
            for change in store.history where change.revision > revision { watcher.note(change) }
        }
        let id = addWatcher(watcher)
        let timeout = min(max(request.parameter("timeoutSeconds").flatMap { Int($0) } ?? 1800, 0), 86_400)
        let bookmarks = request.flag("allowWatchBookmarks")
        let timer = Task { [weak self] in
            try? await Task.sleep(for: .seconds(timeout))
            await self?.endWatch(id, bookmark: bookmarks)
        }
        continuation.onTermination = { [weak self] _ in
            timer.cancel()
            Task { await self?.forgetWatch(id) }
        }
        return watchResponse(stream)
    }

    private func watchResponse(_ stream: AsyncStream<[UInt8]>) -> APIResponse {
        APIResponse(status: 200, headers: [("Content-Type", "application/json")], body: .stream(stream))
    }

    private func endWatch(_ id: Int, bookmark: Bool) {
        guard let watcher = watchers.removeValue(forKey: id) else { return }
        if bookmark { watcher.bookmark(store.revision) }
        watcher.continuation.finish()
    }

    private func forgetWatch(_ id: Int) { watchers[id] = nil }
}
