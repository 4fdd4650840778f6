#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ports on 127.0.0.1.
enum Loopback {
    /// A port that nobody listens on at this moment.
    static func freePort() throws(SandboxError) -> Int {
        let file = open()
        guard file >= 0 else { throw SandboxError("cannot make a socket: \(errorText())") }
        defer { close(file) }
        var address = self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, length) == 0 && getsockname(file, $0, &length) == 0
            }
        }
        guard isBound else { throw SandboxError("cannot find a free port on 127.0.0.1: \(errorText())") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Whether somebody accepts connections on a port.
    static func accepts(_ port: Int) -> Bool {
        let file = connected(port)
        guard file >= 0 else { return false }
        close(file)
        return true
    }

    /// The first bytes that a server says by itself, as sshd does; nil when it does not within a second.
    static func greeting(_ port: Int) -> String? {
        let file = connected(port)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = recv(file, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    private static func open() -> Int32 {
        #if canImport(Glibc)
            socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #else
            socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    private static func connected(_ port: Int) -> Int32 {
        let file = open()
        guard file >= 0 else { return -1 }
        var address = self.address(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(file)
            return -1
        }
        return file
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
