import LabCore

/// A change that a watch reported.
package enum WatchEvent: Sendable {
    case added(Value), modified(Value), deleted(Value)
    /// Nothing changed up to this resource version.
    case bookmark(resourceVersion: String)

    /// Where to resume after this event.
    var resourceVersion: String? {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object):
            object[["metadata", "resourceVersion"]]?.string
        case .bookmark(let version): version
        }
    }
}

extension KubeClient {
    /// What changes from a resource version on, until the server ends the watch (after about `timeout` seconds).
    ///
    /// - Throws: `KubeError`; kind `expired` (410) when the resource version is too old, at once or in the stream.
    package func watch(
        _ resource: APIResource, namespace: String?, name: String? = nil, labelSelector: String? = nil,
        from resourceVersion: String, timeout: Int
    ) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        var query: [(name: String, value: String)] = [
            ("watch", "1"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", String(max(timeout, 1))),
        ]
        if !resourceVersion.isEmpty { query.append(("resourceVersion", resourceVersion)) }
        if let name { query.append(("fieldSelector", "metadata.name=\(name)")) }
        if let labelSelector { query.append(("labelSelector", labelSelector)) }
        let (head, body) = try await stream(
            HTTPRequest(.get, resource.path(namespace: namespace) + queryString(query)))
        guard head.status == 200 else {
            var bytes: [UInt8] = []
            for try await piece in body { bytes += piece }
            throw KubeError(APIStatus(code: head.status, body: bytes), action: "watch \(resource.plural)")
        }
        let (events, continuation) = AsyncThrowingStream.makeStream(of: WatchEvent.self)
        let reading = Task {
            var lines = LineSplitter()
            do {
                for try await piece in body {
                    for line in lines.add(piece) { continuation.yield(try event(line, resource)) }
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in reading.cancel() }
        return events
    }

    private func event(_ line: [UInt8], _ resource: APIResource) throws -> WatchEvent {
        let value = try Value(json: line)
        let object = value["object"] ?? .null
        switch value["type"]?.string {
        case "ADDED": return .added(object)
        case "MODIFIED": return .modified(object)
        case "DELETED": return .deleted(object)
        case "BOOKMARK":
            return .bookmark(resourceVersion: object[["metadata", "resourceVersion"]]?.string ?? "")
        default:
            throw KubeError(APIStatus(code: 500, status: object), action: "watch \(resource.plural)")
        }
    }
}

/// Cuts a stream of bytes into lines, whatever the pieces are in which it comes.
struct LineSplitter {
    private var rest: [UInt8] = []

    /// The lines that the piece completes, without their line breaks and without empty ones.
    mutating func add(_ piece: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in piece {
            if byte != 0x0A {
                rest.append(byte)
            } else if !rest.isEmpty {
                lines.append(rest)
                rest = []
            }
        }
        return lines
    }
}
