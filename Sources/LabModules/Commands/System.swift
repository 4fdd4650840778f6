#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A moment of the laptop's wall clock, as Ansible's results write it.
struct Timestamp: Sendable {
    private var seconds: Int
    private var microseconds: Int

    static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int(time.tv_sec), microseconds: Int(time.tv_nsec) / 1000)
    }

    /// `2026-11-23 05:30:32.000123`, in local time.
    var text: String {
        var time = time_t(seconds)
        var fields = tm()
        localtime_r(&time, &fields)
        let day =
            "\(fields.tm_year + 1900)-\(padded(fields.tm_mon + 1))-\(padded(fields.tm_mday))"
        return "\(day) \(padded(fields.tm_hour)):\(padded(fields.tm_min)):\(padded(fields.tm_sec)).\(sixDigits)"
    }

    /// `0:00:01.234567`.
    func elapsed(since start: Timestamp) -> String {
        let total = max(0, (seconds - start.seconds) * 1_000_000 + microseconds - start.microseconds)
        let rest = Timestamp(seconds: total / 1_000_000, microseconds: total % 1_000_000)
        let (minutes, seconds) = (rest.seconds / 60, rest.seconds % 60)
        return "\(minutes / 60):\(padded(Int32(minutes % 60))):\(padded(Int32(seconds))).\(rest.sixDigits)"
    }

    private var sixDigits: String {
        let digits = String(microseconds)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }

    private func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : String(number) }
}

/// The number of this process.
func processNumber() -> Int { Int(getpid()) }

/// What the system says of an error number, in small letters: `no such file or directory`.
func systemMessage(_ number: Int32) -> String {
    strerror(number).map { String(cString: $0).lowercased() } ?? "error \(number)"
}
