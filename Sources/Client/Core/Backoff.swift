/// How long to wait before the next try: doubling, with jitter, so that many clients do not come back at once.
struct Backoff {
    let least: Int64
    let most: Int64
    private var tries = 0
    private var random: UInt64

    init(least: Int64, most: Int64, seed: UInt64) {
        self.least = least
        self.most = most
        random = seed
    }

    mutating func reset() { tries = 0 }

    /// Milliseconds, at least `asked`.
    mutating func next(asked: Int64 = 0) -> Int64 {
        let base = min(max(asked, least) << Int64(min(tries, 6)), max(most, asked))
        tries += 1
        return base + Int64(nextRandom() % UInt64(base / 2 + 1))
    }

    /// SplitMix64.
    private mutating func nextRandom() -> UInt64 {
        random &+= 0x9E37_79B9_7F4A_7C15
        var z = random
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
