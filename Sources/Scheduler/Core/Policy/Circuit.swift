/// Pauses what fails every time: a kind, or a kind in one worker (see `Quarantine`).
///
/// It opens after so many failures in a row of so many different jobs. Then one job at a time may probe,
/// after a wait that doubles with each probe that fails, up to a maximum; the first success closes it.
/// Only failures that may be retried count: one that may not says that the handler ran and judged its
/// input. Nothing of it is journaled: a new owner learns it again.
package struct Circuit: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Failures in a row that open it; 0: it never opens.
        package var failures: Int
        /// Different jobs that they must come from: one poison job is no outage.
        package var jobs: Int
        package var waitNanoseconds: Int64
        package var maximumNanoseconds: Int64

        package init(failures: Int, jobs: Int, waitNanoseconds: Int64, maximumNanoseconds: Int64) {
            self.failures = failures
            self.jobs = jobs
            self.waitNanoseconds = waitNanoseconds
            self.maximumNanoseconds = maximumNanoseconds
        }
    }

    package enum State: Sendable, Equatable {
        /// Every job may start. Becomes `open`.
        case closed
        /// No job may start. Becomes `due`, or `closed` when an attempt of before succeeds.
        case open(until: Int64)
        /// The next job to start is a probe. Becomes `probing`.
        case due
        /// One job runs, no other may start. Becomes `closed` or `open` as that ends.
        case probing(job: UInt64)
    }

    package var settings: Settings
    package private(set) var isClosed = true
    private var failuresInRow = 0
    /// The jobs that failed in this row, as many as count.
    private var jobs: [UInt64] = []
    private var openUntil: Int64 = 0
    private var wait: Int64 = 0
    /// 0: none.
    private var probe: UInt64 = 0

    package init(_ settings: Settings) { self.settings = settings }

    package func state(at time: Int64) -> State {
        if isClosed { return .closed }
        if probe != 0 { return .probing(job: probe) }
        return time < openUntil ? .open(until: openUntil) : .due
    }

    package func mayStart(at time: Int64) -> Bool { isClosed || (probe == 0 && time >= openUntil) }

    /// Whether it is closed, or this job is what probes it.
    package func isClosed(but job: UInt64) -> Bool { isClosed || probe == job }

    /// Nothing failed since the last success.
    package var isClean: Bool { failuresInRow == 0 && isClosed }

    package mutating func started(_ job: UInt64) {
        if !isClosed { probe = job }
    }

    @inline(__always)
    package mutating func succeeded() {
        if !isClean { close() }
    }

    private mutating func close() {
        isClosed = true
        failuresInRow = 0
        jobs.removeAll(keepingCapacity: true)
        probe = 0
    }

    /// An attempt failed and may be retried.
    /// - Parameter mayOpen: whether a row that is long enough opens it.
    /// - Returns: when the next probe is due, if that is news.
    package mutating func failed(_ job: UInt64, mayOpen: Bool = true, at time: Int64) -> Int64? {
        if !isClosed {
            // What had started before it opened proves nothing new.
            guard probe == job else { return nil }
            wait = min(max(settings.maximumNanoseconds, settings.waitNanoseconds), 2 * wait)
            return open(at: time)
        }
        failuresInRow += 1
        if jobs.count < settings.jobs, !jobs.contains(job) { jobs.append(job) }
        guard mayOpen, settings.failures > 0, failuresInRow >= settings.failures, jobs.count >= settings.jobs else {
            return nil
        }
        wait = settings.waitNanoseconds
        return open(at: time)
    }

    private mutating func open(at time: Int64) -> Int64 {
        isClosed = false
        probe = 0
        openUntil = time + wait
        return openUntil
    }

    /// A lease is over. If it was the probe's and proved nothing (lost, returned, cancelled), the next job
    /// probes.
    package mutating func ended(_ job: UInt64) {
        if probe == job { probe = 0 }
    }

    package mutating func change(to settings: Settings) {
        self.settings = settings
        if settings.failures == 0 { close() }
    }
}
