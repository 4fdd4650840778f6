import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A TCP server on loopback that sends back what it gets, or sends bytes by itself, one client at a time.
final class EchoServer: Sendable {
    let port: Int
    private let listener: Int32
    private let count = Atomic(0)

    /// How many bytes it has sent.
    var sent: Int { count.load(ordering: .relaxed) }

    init(floodBytes: Int? = nil) throws {
        (listener, port) = try listenOnLoopback()
        let listener = listener
        let thread = DispatchQueue(label: "echo")
        thread.async {
            while case let client = accept(listener, nil, nil), client >= 0 {
                var buffer = [UInt8](repeating: 0x55, count: 65_536)
                if let floodBytes {
                    var left = floodBytes
                    while left > 0, self.send(client, buffer[..<min(left, buffer.count)]) {
                        left -= min(left, buffer.count)
                    }
                } else {
                    while case let length = recv(client, &buffer, buffer.count, 0), length > 0 {
                        guard self.send(client, buffer[..<length]) else { break }
                    }
                }
                close(client)
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func send(_ client: Int32, _ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let length = rest.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
            guard length > 0 else { return false }
            count.add(length, ordering: .relaxed)
            rest = rest.dropFirst(length)
        }
        return true
    }
}
