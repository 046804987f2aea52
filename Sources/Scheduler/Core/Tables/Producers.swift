import StatexProtocol

/// What producers submitted lately: a repeat gets the ids of the first time.
package struct Producers: Sendable {
    /// Sequences in a row whose requests' ids rise by a fixed step.
    package struct Run: Sendable, Equatable {
        package var sequence: UInt64
        package var count: UInt64
        package var firstID: UInt64
        package var jobsEach: UInt64
        /// The commit that makes it durable.
        package var batch: UInt64

        package init(sequence: UInt64, count: UInt64, firstID: UInt64, jobsEach: UInt64, batch: UInt64) {
            self.sequence = sequence
            self.count = count
            self.firstID = firstID
            self.jobsEach = jobsEach
            self.batch = batch
        }

        var end: UInt64 { sequence + count }
    }

    private struct Window: Sendable {
        /// By sequence, without overlap.
        var runs: [Run] = []
        var sequences: UInt64 = 0
        /// Sequences below it are forgotten: neither new nor answerable.
        var floor: UInt64 = 1
        var lastUse: UInt64 = 0
        /// Sessions that use it now.
        var sessions = 0
    }

    package enum Answer: Sendable, Equatable {
        case new
        /// Submitted before; durable with that commit.
        case known(firstID: UInt64, jobsEach: UInt64, batch: UInt64)
        /// So old that it is not remembered.
        case forgotten
    }

    /// Producers without a session that are still remembered; the journal has the others.
    private static let idleProducers = 1_024

    private var windows: [Producer: Window] = [:]
    private var uses: UInt64 = 0
    private var idle = 0

    package init() {}

    package func isLoaded(_ producer: Producer) -> Bool { windows[producer] != nil }

    package func lastSequence(_ producer: Producer) -> UInt64 {
        windows[producer]?.runs.last.map { $0.end - 1 } ?? 0
    }

    /// Takes over what the journal knows of a producer, in the order of sequences.
    package mutating func load(_ producer: Producer, runs: [Run], committed: UInt64) {
        guard windows[producer] == nil else { return }
        var window = Window()
        for run in runs.sorted(by: { $0.sequence < $1.sequence }) { Self.add(run, to: &window) }
        // The newest of the idle ones, so that it is not the next to be forgotten.
        uses += 1
        window.lastUse = uses
        // The journal is asked for the window only: what lies before it is forgotten, not new.
        if let end = window.runs.last?.end, end > UInt64(Limits.producerWindow) {
            window.floor = max(window.floor, end - UInt64(Limits.producerWindow))
        }
        windows[producer] = window
        idle += 1
        forgetIdle(committed: committed)
    }

    package mutating func sessionBegan(_ producer: Producer) {
        uses += 1
        windows[producer]?.lastUse = uses
        if windows[producer]?.sessions == 0 { idle -= 1 }
        windows[producer]?.sessions += 1
    }

    package mutating func sessionEnded(_ producer: Producer, committed: UInt64) {
        guard let sessions = windows[producer]?.sessions, sessions > 0 else { return }
        windows[producer]?.sessions = sessions - 1
        guard sessions == 1 else { return }
        idle += 1
        forgetIdle(committed: committed)
    }

    private mutating func forgetIdle(committed: UInt64) {
        guard idle > Self.idleProducers else { return }
        // Rare, and the order of a dictionary must not decide: the smallest last use does.
        let oldest = windows.filter {
            $0.value.sessions == 0 && $0.value.runs.allSatisfy { $0.batch <= committed }
        }.min { $0.value.lastUse < $1.value.lastUse }
        guard let oldest else { return }
        windows[oldest.key] = nil
        idle -= 1
    }

    package func look(_ producer: Producer, _ sequence: UInt64) -> Answer {
        guard let window = windows[producer] else { return .new }
        if sequence < window.floor { return .forgotten }
        guard let last = window.runs.last, sequence < last.end else { return .new }
        var low = 0
        var high = window.runs.count
        while low < high {
            let middle = (low + high) / 2
            if window.runs[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return .new }
        let run = window.runs[low - 1]
        guard sequence < run.end else { return .new }
        return .known(
            firstID: run.firstID + (sequence - run.sequence) * run.jobsEach, jobsEach: run.jobsEach, batch: run.batch)
    }

    package mutating func record(_ producer: Producer, _ run: Run) {
        Self.add(run, to: &windows[producer, default: Window()])
    }

    private static func add(_ run: Run, to window: inout Window) {
        window.sequences += run.count
        if let last = window.runs.last, last.end == run.sequence, last.jobsEach == run.jobsEach,
            last.firstID + last.count * last.jobsEach == run.firstID
        {
            window.runs[window.runs.count - 1].count += run.count
            window.runs[window.runs.count - 1].batch = run.batch
        } else {
            var place = window.runs.count
            while place > 0, window.runs[place - 1].sequence > run.sequence { place -= 1 }
            window.runs.insert(run, at: place)
        }
        // Trims in blocks, so that removing from the front stays rare.
        let kept = UInt64(Limits.producerWindow)
        var drop = 0
        var dropped: UInt64 = 0
        while drop + 1 < window.runs.count, window.sequences - dropped - window.runs[drop].count >= kept {
            dropped += window.runs[drop].count
            drop += 1
        }
        guard drop >= 64 || (drop > 0 && dropped >= kept) else { return }
        window.floor = window.runs[drop - 1].end
        window.runs.removeFirst(drop)
        window.sequences -= dropped
    }
}
