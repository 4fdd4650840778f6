import LabReport

/// The line under a copy on a terminal: how much is done, how fast, how long still.
struct CopyProgress: Sendable {
    private let stream: StandardStream
    private let started = ContinuousClock.now

    /// nil where standard error is no terminal, or nobody wants to see it.
    init?(isWanted: Bool) {
        stream = .error
        guard isWanted, stream.isTerminal, Surroundings.environment["TERM"] != "dumb" else { return nil }
    }

    /// Draws over the line until the task is cancelled, and then takes it away.
    func run(_ read: @escaping @Sendable () -> (meter: CopyMeter.Reading, hosts: (done: Int, all: Int))) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(200))
            guard !Task.isCancelled else { break }
            let (meter, hosts) = read()
            let text = Self.text(meter, hosts: hosts, elapsed: .now - started)
            stream.write("\r\u{1B}[K" + text.prefix(max(Surroundings.width(stream) - 1, 10)))
        }
        clear()
    }

    /// Makes room for a line of the result.
    func clear() { stream.write("\r\u{1B}[K") }

    static func text(_ meter: CopyMeter.Reading, hosts: (done: Int, all: Int), elapsed: Duration) -> String {
        let seconds = elapsed / .seconds(1)
        let speed = seconds > 0 ? Double(meter.bytes) / seconds : 0
        var parts: [String] = []
        if hosts.all > 1 { parts.append("\(hosts.done) of \(hosts.all) hosts") }
        if meter.expectedFiles > 1 { parts.append("\(meter.files) of \(meter.expectedFiles) files") }
        if meter.expectedBytes > 0 {
            parts.append("\(size(meter.bytes)) of \(size(meter.expectedBytes))")
            parts.append("\(min(meter.bytes * 100 / meter.expectedBytes, 100)) %")
        }
        if speed > 0 { parts.append("\(size(Int(speed)))/s") }
        let rest = meter.expectedBytes - meter.bytes
        if speed > 0, rest > 0 {
            let left = Int((Double(rest) / speed).rounded(.up))
            parts.append("\(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left")
        }
        return parts.isEmpty ? "looking" : parts.joined(separator: "  ")
    }

    /// `512 B`, `1.5 kB`, `12 MB`: powers of 1000.
    static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 999.5 || unit == "GB" {
                if unit == "B" || value >= 99.95 { return "\(Int(value.rounded())) \(unit)" }
                let tenths = Int((value * 10).rounded())
                return "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            value /= 1000
        }
        return "\(bytes) B"
    }
}
