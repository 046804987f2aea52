import StatexSchedulerCore

// All chance of a run comes from seeded generators, and by arithmetic of our own: the standard library may
// change how it draws from a range.

extension SeededGenerator {
    /// A generator of its own for one part of a run, so that what another part draws does not change it.
    init(seed: UInt64, part: UInt64) {
        var digest = Digest()
        digest.add(seed)
        digest.add(part)
        self.init(seed: digest.value)
    }

    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() % UInt64(max(bound, 1))) }

    mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(truncatingIfNeeded: next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func happens(oneIn count: Int) -> Bool { below(count) == 0 }

    mutating func one<Element>(of elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }

    /// A delay that is mostly short, and rarely a hundred times that.
    mutating func delay(about usual: Int64) -> Int64 {
        let base = usual / 2 + within(0...usual)
        switch below(200) {
        case 0: return base * 100
        case 1...5: return base * 10
        default: return base
        }
    }
}

/// A running hash of everything that happened: the same seed gives the same digest.
struct Digest {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ number: UInt64) {
        var mixed = value ^ number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        value = mixed ^ (mixed >> 31)
    }

    /// The head of a message says what it is; its length stands for the rest.
    mutating func add(_ bytes: [UInt8]) {
        var word: UInt64 = UInt64(bytes.count)
        for byte in bytes.prefix(56) { word = word &* 31 &+ UInt64(byte) }
        add(word)
    }
}
