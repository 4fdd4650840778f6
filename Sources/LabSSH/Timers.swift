/// The deadlines of an `IOThread`'s waiters, soonest first.
struct Timers {
    private var entries: [(deadline: ContinuousClock.Instant, id: UInt64)] = []

    mutating func add(_ id: UInt64, at deadline: ContinuousClock.Instant) {
        entries.insert((deadline, id), at: position(of: deadline, id))
    }

    mutating func remove(_ id: UInt64, at deadline: ContinuousClock.Instant) {
        let index = position(of: deadline, id)
        if index < entries.count, entries[index].id == id { entries.remove(at: index) }
    }

    /// How long `poll` may sleep: -1 for ever, at most a minute, rounded up so that it never wakes too early.
    func millisecondsToNext(now: ContinuousClock.Instant = .now) -> Int32 {
        guard let next = entries.first else { return -1 }
        let left = next.deadline - now
        if left <= .zero { return 0 }
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
        return Int32(min(milliseconds, 60_000))
    }

    /// Takes out what is due.
    mutating func takeDue(now: ContinuousClock.Instant = .now) -> [UInt64] {
        let due = entries.prefix { $0.deadline <= now }.map(\.id)
        entries.removeFirst(due.count)
        return due
    }

    private func position(of deadline: ContinuousClock.Instant, _ id: UInt64) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if (entries[middle].deadline, entries[middle].id) < (deadline, id) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
