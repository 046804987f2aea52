import StatexProtocol

/// How many jobs ended in which state.
public struct FinalCounts: Sendable, Equatable {
    public var succeeded = 0
    public var failed = 0
    public var dead = 0
    public var cancelled = 0
    public var expired = 0
    /// Jobs that the scheduler no longer knows.
    public var unknown = 0

    public init() {}

    public var total: Int { succeeded + failed + dead + cancelled + expired + unknown }

    mutating func add(_ state: JobState?) {
        switch state {
        case .succeeded: succeeded += 1
        case .failed: failed += 1
        case .dead: dead += 1
        case .cancelled: cancelled += 1
        case .expired: expired += 1
        case nil: unknown += 1
        case .blocked, .delayed, .queued, .leased, .running: break
        }
    }
}

/// Counts each job of a bulk submit once as it becomes final, in one bit a job.
struct FinalCounter {
    private struct Run {
        let firstID: UInt64
        let jobs: Int
        var open: Int
        /// One bit a job: it was counted.
        var seen: [UInt64]
        /// The session that was asked for notification is gone: its jobs are asked for by id.
        var isAsked: Bool
    }

    private(set) var counts = FinalCounts()
    /// Rising by first id.
    private var runs: [Run] = []
    /// Jobs that were accepted and not counted yet.
    private(set) var open = 0
    /// Where the next job is looked for first: results come about in order.
    private var hint = 0
    /// Jobs up to here were asked for by id in this session.
    private var askedRun = 0
    private var askedJob = 0
    private(set) var asked = 0

    mutating func add(_ run: AcceptedRun) {
        let jobs = Int(run.requests) * Int(run.jobsEach)
        let new = Run(
            firstID: run.firstID.rawValue, jobs: jobs, open: jobs,
            seen: [UInt64](repeating: 0, count: (jobs + 63) / 64),
            isAsked: run.repeated)
        open += jobs
        var place = runs.count
        while place > 0, runs[place - 1].firstID > new.firstID { place -= 1 }
        runs.insert(new, at: place)
        // What stands before the mark shifts it; asking an id twice does no harm.
        if place < askedRun || (place == askedRun && askedJob > 0) { restartAsking() }
        if place <= hint { hint = 0 }
    }

    mutating func count(_ id: JobID, _ state: JobState?) {
        guard state?.isFinal ?? true, let (place, job) = openPlace(of: id) else { return }
        runs[place].seen[job / 64] |= 1 << UInt64(job % 64)
        runs[place].open -= 1
        open -= 1
        counts.add(state)
        if wasAsked(place, job) { asked -= 1 }
    }

    /// Whether the job is one of these, was asked for by id in this session, and is not counted yet.
    mutating func awaits(_ id: JobID) -> Bool {
        guard let (place, job) = openPlace(of: id) else { return false }
        return wasAsked(place, job)
    }

    private func wasAsked(_ place: Int, _ job: Int) -> Bool {
        runs[place].isAsked && (place, job) < (askedRun, askedJob)
    }

    /// Where a job stands that was not counted yet: its run, and its place in it.
    private mutating func openPlace(of id: JobID) -> (run: Int, job: Int)? {
        guard let place = place(of: id.rawValue) else { return nil }
        let job = Int(id.rawValue - runs[place].firstID)
        return runs[place].seen[job / 64] & (1 << UInt64(job % 64)) == 0 ? (place, job) : nil
    }

    /// The session ended: what is open is asked for by id in the next one.
    mutating func sessionEnded() {
        for place in runs.indices { runs[place].isAsked = true }
        restartAsking()
    }

    private mutating func restartAsking() {
        askedRun = 0
        askedJob = 0
        asked = 0
    }

    /// The next ids to ask for.
    ///
    /// - Parameter room: how many more may wait for an answer by id.
    mutating func nextToAsk(_ room: inout Int, _ body: (JobID) -> Void) {
        while askedRun < runs.count, room > 0 {
            let run = runs[askedRun]
            guard run.isAsked, run.open > 0, askedJob < run.jobs else {
                askedRun += 1
                askedJob = 0
                continue
            }
            if run.seen[askedJob / 64] & (1 << UInt64(askedJob % 64)) == 0 {
                asked += 1
                room -= 1
                body(JobID(rawValue: run.firstID + UInt64(askedJob)))
            }
            askedJob += 1
        }
    }

    private mutating func place(of id: UInt64) -> Int? {
        for place in hint..<min(hint + 2, runs.count) where contains(place, id) {
            hint = place
            return place
        }
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].firstID + UInt64(runs[middle].jobs) <= id { low = middle + 1 } else { high = middle }
        }
        guard low < runs.count, contains(low, id) else { return nil }
        hint = low
        return low
    }

    private func contains(_ place: Int, _ id: UInt64) -> Bool {
        id >= runs[place].firstID && id - runs[place].firstID < UInt64(runs[place].jobs)
    }
}
