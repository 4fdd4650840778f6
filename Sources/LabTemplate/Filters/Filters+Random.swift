extension Filters {
    /// Random choices, with a seed only: a run has to give the same result twice. The numbers are Python's.
    static let random: [String: Filter] = [
        "random": Filter("start", "step", "seed") { call in
            var generator = try generator(call, seed: call.given(2))
            guard let end = call.input.int else {
                let items = try call.items()
                guard !items.isEmpty else { throw Failure("there is nothing to choose from: the list is empty") }
                return items[try generator.below(items.count)]
            }
            let (start, step) = (try call.int(0) ?? 0, try call.int(1) ?? 1)
            guard step != 0, [start, end, step].allSatisfy({ $0.magnitude < 1 << 31 }) else {
                throw Failure("\(call.subject) needs numbers below 2^31 and a step that is not zero")
            }
            let range = PythonRange(start: start, stop: end, step: step)
            guard range.count > 0 else { throw Failure("\(call.subject) has no number to choose from") }
            return .int(range[try generator.below(range.count)])
        },
        "shuffle": Filter("seed") { call in
            var generator = try generator(call, seed: call.given(0))
            var items = try call.items()
            for index in items.indices.dropFirst().reversed() {
                items.swapAt(index, try generator.below(index + 1))
            }
            return .list(items)
        },
    ]

    private static func generator(_ call: Call, seed: Object?) throws -> PythonRandom {
        switch seed {
        case nil:
            throw Failure(
                "\(call.subject) needs a seed, since a run has to give the same result twice",
                hint: "write '… | \(call.subject.contains("shuffle") ? "shuffle" : "random")(seed=inventory_hostname)'")
        case .int(let number)?: return PythonRandom(seed: [UInt64(number.magnitude)])
        case .string(let text)?:
            let bytes = Array(text.utf8)
            guard case .string(let digest) = try call.service(.digest(algorithm: "sha512", bytes: bytes)) else {
                throw Failure("\(call.subject) got no digest")
            }
            let digits = Array(digest.utf8)
            let hash = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
            }
            return PythonRandom(seed: bytes + hash)
        default: throw Failure("\(call.subject) needs a string or an integer as its seed")
        }
    }
}

/// Python's `random.Random`: the Mersenne Twister MT19937, seeded by an array.
struct PythonRandom {
    private var state = [UInt32](repeating: 0, count: 624)
    private var index = 624

    /// A number in big-endian bytes.
    init(seed bytes: [UInt8]) {
        let trimmed = Array(bytes.drop { $0 == 0 }.reversed())
        var key = stride(from: 0, to: trimmed.count, by: 4).map { start in
            trimmed[start..<min(start + 4, trimmed.count)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        if key.isEmpty { key = [0] }
        self.init(key: key)
    }

    init(seed words: [UInt64]) {
        self.init(
            seed: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } })
    }

    private init(key: [UInt32]) {
        state[0] = 19_650_218
        for i in 1..<624 { state[i] = 1_812_433_253 &* (state[i - 1] ^ state[i - 1] >> 30) &+ UInt32(i) }
        var (i, j) = (1, 0)
        func mixed(_ i: Int, _ factor: UInt32) -> UInt32 { state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) &* factor }
        for _ in 0..<max(624, key.count) {
            state[i] = mixed(i, 1_664_525) &+ key[j] &+ UInt32(j)
            (i, j) = (i + 1, (j + 1) % key.count)
            if i == 624 { (state[0], i) = (state[623], 1) }
        }
        for _ in 0..<623 {
            state[i] = mixed(i, 1_566_083_941) &- UInt32(i)
            i += 1
            if i == 624 { (state[0], i) = (state[623], 1) }
        }
        state[0] = 0x8000_0000
    }

    private mutating func next() -> UInt32 {
        if index == 624 {
            for i in 0..<624 {
                let bits = state[i] & 0x8000_0000 | state[(i + 1) % 624] & 0x7FFF_FFFF
                state[i] = state[(i + 397) % 624] ^ bits >> 1 ^ (bits & 1 == 1 ? 0x9908_B0DF : 0)
            }
            index = 0
        }
        var value = state[index]
        index += 1
        value ^= value >> 11
        value ^= value << 7 & 0x9D2C_5680
        value ^= value << 15 & 0xEFC6_0000
        return value ^ value >> 18
    }

    /// A number in `0..<limit`.
    mutating func below(_ limit: Int) throws -> Int {
        guard limit > 0, limit <= 1 << 32 else { throw Failure("the number to choose is out of range") }
        let bits = Int.bitWidth - limit.leadingZeroBitCount
        guard bits <= 32 else { throw Failure("the number to choose is out of range") }
        while true {
            let value = Int(next() >> UInt32(32 - bits))
            if value < limit { return value }
        }
    }
}
