#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Dates as texts.
enum Time {
    /// `strftime` of the C library, in local time or UTC.
    static func formatted(_ format: String, seconds: Double, isUTC: Bool) throws -> String {
        guard seconds.isFinite, seconds.magnitude < 1e15 else { throw Failure("the time is out of range") }
        var time = time_t(seconds.rounded(.down))
        var parts = tm()
        if isUTC { gmtime_r(&time, &parts) } else { localtime_r(&time, &parts) }
        guard !format.isEmpty else { return "" }
        var buffer = [CChar](repeating: 0, count: 256 + format.utf8.count * 16)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
