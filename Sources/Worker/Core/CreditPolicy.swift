import StatexProtocol

/// How many jobs to ask for: the slots, and what hides one loop from an outcome to the next lease.
///
/// While that loop lasts, the slots get through `slots × loop / run time` jobs; so many wait ahead.
/// A kind that runs for a minute gets none, a thousand-a-second kind gets what it needs, and a kind
/// that was never measured gets none until it was. Jobs that run so long that they would get none keep their
/// slots for themselves, and the other slots have what they need: a few long jobs must not slow a worker's short
/// ones down. Jobs that run together take one slot.
struct CreditPolicy {
    private struct Kind {
        var held = 0
        var batchSize = 1
        /// Slots that they take at once at the least.
        var calls: Int { (held + batchSize - 1) / batchSize }
        /// Mean run time in nanoseconds; 0: not known.
        var run = 0.0
    }

    private let slots: Int
    private let prefetchLimit: Int
    private let waitingBytesLimit: Int
    private let keptBytesLimit: Int
    private var kinds: [Kind]
    /// From sending an outcome to hearing that it is durable, in nanoseconds; 0: not known.
    private var loop = 0.0
    /// Of all kinds as they come; stands in while nothing is held.
    private var recentRun = 0.0
    private var payload = 0.0

    init(_ settings: WorkerSettings) {
        slots = settings.slots
        prefetchLimit = settings.prefetch
        waitingBytesLimit = settings.waitingBytes
        keptBytesLimit = settings.keptBytes
        kinds = Array(repeating: Kind(), count: settings.kinds)
        for (kind, size) in settings.batchSizes.prefix(settings.kinds).enumerated() {
            kinds[kind].batchSize = max(size, 1)
        }
    }

    mutating func leased(kind: UInt16, contentLength: UInt32) {
        kinds[Int(kind)].held += 1
        payload += (Double(contentLength) - payload) / 16
    }

    mutating func ran(kind: UInt16, nanoseconds: Int64) {
        // A run under 100 ns is the clock's grain, and a mean of 0 would divide.
        let run = max(Double(nanoseconds), 100)
        Self.average(&kinds[Int(kind)].run, run)
        Self.average(&recentRun, run)
    }

    /// How long jobs of the kind run, in nanoseconds; nil: it was never measured.
    func expectedRun(ofKind kind: UInt16) -> Int64? {
        let run = kinds[Int(kind)].run
        return run > 0 ? Int64(run) : nil
    }

    mutating func released(kind: UInt16) { kinds[Int(kind)].held -= 1 }

    mutating func looped(nanoseconds: Int64) { Self.average(&loop, Double(max(nanoseconds, 0))) }

    /// - Parameter stuckSlots: slots with a handler that runs on under a revoked lease.
    func credit(stuckSlots: Int, waitingBytes: Int, keptCount: Int, keptBytes: Int) -> Int {
        guard keptBytes < keptBytesLimit else { return 0 }
        let ready = max(slots - stuckSlots, 0)
        var ahead = prefetch
        if ahead > 0, payload >= 1 {
            ahead = min(ahead, Int(Double(waitingBytesLimit) / payload))
        }
        if waitingBytes >= waitingBytesLimit { ahead = 0 }
        return max(0, min(ready + ahead, Limits.credit - keptCount))
    }

    private var prefetch: Int {
        guard loop > 0 else { return 0 }
        let whole = Double(slots) * loop
        var long = 0
        var held = 0
        var sum = 0.0
        for kind in kinds where kind.held > 0 {
            // Not known yet: nothing waits behind it.
            guard kind.run > 0 else { return 0 }
            if kind.run > whole {
                long += kind.calls
            } else {
                held += kind.held
                sum += Double(kind.held) * kind.run
            }
        }
        let run = held > 0 ? sum / Double(held) : recentRun
        guard run > 0, long < slots else { return 0 }
        return Int(min(Double(slots - long) * loop / run, Double(prefetchLimit)))
    }

    /// An exponential mean over about 16 values; the first one counts in full.
    private static func average(_ mean: inout Double, _ value: Double) {
        mean = mean == 0 ? value : mean + (value - mean) / 16
    }
}
