import LabSandbox

/// Holds the simulated controllers at steps that are an hour long, until it is opened; every other step takes no time.
actor Gate {
    static let held: Duration = .seconds(3600)

    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    func pass() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// Options of a cluster whose steps take no time, but for those that `change` makes as long as `held`.
    nonisolated func options(_ change: (inout SimulatedDelays) -> Void = { _ in }) -> ClusterOptions {
        var options = ClusterOptions()
        options.delays = .each(.zero)
        change(&options.delays)
        options.sleep = { duration in
            if duration >= Gate.held { await self.pass() } else { await Task.yield() }
        }
        return options
    }
}

/// Asks again until the answer is what is waited for; nil when it never is.
func eventually<Answer>(
    within limit: Duration = .seconds(20), _ ask: () async throws -> Answer, until isFine: (Answer) -> Bool
) async throws -> Answer? {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        let answer = try await ask()
        if isFine(answer) { return answer }
        try await Task.sleep(for: .milliseconds(2))
    }
    return nil
}
