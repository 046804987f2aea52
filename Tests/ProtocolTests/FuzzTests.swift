import StatexProtocol
import Testing

/// Decoding is safe on any bytes: it returns or throws a `WireError`, and keeps no more than the bytes hold.
@Suite struct FuzzTests {
    @Test func extremeIntegersAtEveryOffsetAreReadOrRefused() {
        var tally = Tally()
        for sample in Sample.all {
            for offset in 0..<sample.bytes.count {
                for value in Self.extremes {
                    for width in [1, 2, 4, 8] where offset + width <= sample.bytes.count {
                        var message = sample.bytes
                        for byte in 0..<width {
                            message[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
                        }
                        tally.read(message)
                    }
                }
            }
        }
        #expect(tally.refused > 10_000)
        #expect(tally.read > 10_000)
        #expect(tally.isBounded)
    }

    @Test func everyTruncationOfEveryMessageIsReadOrRefused() {
        var tally = Tally()
        for sample in Sample.all {
            for length in 0..<sample.bytes.count { tally.read(Array(sample.bytes.prefix(length))) }
        }
        #expect(tally.refused > 1_000)
        #expect(tally.isBounded)
    }

    /// A million, over as many seeds: each seed can be run alone when it fails.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func aHundredAndThirtyThousandMutatedMessagesAreReadOrRefused(seed: UInt64) {
        var tally = Tally()
        var random = SplitMix(seed)
        for _ in 0..<130_000 { tally.read(Self.mutated(&random)) }
        #expect(tally.read + tally.refused == 130_000)
        #expect(tally.refused > 20_000)
        #expect(tally.read > 5_000)
        #expect(tally.isBounded)
    }

    @Test func aCountThatTheBytesCannotHoldIsRefusedBeforeAnythingIsKept() {
        for sample in Sample.all where sample.bytes[6] > 0 {
            var message = sample.bytes
            message[28] = 0
            message[29] = 16  // 4,096 records, the most that a header may say
            var batch = SubmitBatch()
            #expect(throws: WireError.self) { _ = try decode(message.span.bytes, into: &batch) }
            #expect(batch.jobs.capacity == 0)
        }
    }

    private static let extremes: [UInt64] = [
        0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFE, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
        0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max,
    ]

    /// One to four mutations of a valid message.
    private static func mutated(_ random: inout SplitMix) -> [UInt8] {
        var message = Sample.all[random.below(Sample.all.count)].bytes
        for _ in 0...random.below(4) {
            guard !message.isEmpty else { break }
            let offset = random.below(message.count)
            switch random.below(7) {
            case 0: message[offset] ^= 1 << UInt8(random.below(8))
            case 1: message[offset] = UInt8(random.below(256))
            case 2: message.removeLast(message.count - offset)
            case 3: message += (0...random.below(64)).map { _ in UInt8(random.below(256)) }
            case 4:
                let other = Sample.all[random.below(Sample.all.count)].bytes
                message = Array(message.prefix(offset)) + other.dropFirst(min(offset, other.count))
            case 5:
                let width = 1 << random.below(4)
                let value = extremes[random.below(extremes.count)]
                for byte in 0..<width where offset + byte < message.count {
                    message[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
                }
            default:
                let end = min(message.count, offset + 1 + random.below(32))
                message.insert(contentsOf: message[offset..<end], at: random.below(message.count))
            }
        }
        return message
    }
}

private struct Tally {
    var read = 0
    var refused = 0
    var isBounded = true

    mutating func read(_ message: [UInt8]) {
        var batch = SubmitBatch()
        do throws(WireError) {
            _ = try decode(message.span.bytes, into: &batch)
            read += 1
        } catch {
            // Typed: nothing else can be thrown. It says something, and nothing of the content.
            if error.message.isEmpty || error.message.utf8.count > 200 { isBounded = false }
            refused += 1
        }
        // Arrays double as they grow: so twice what the bytes could hold, and a start of a few.
        if batch.jobs.capacity > 2 * (message.count / SubmitJob.size) + 8 { isBounded = false }
        if batch.names.capacity > 2 * (message.count / 2) + 8 { isBounded = false }
    }
}

private struct SplitMix {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
