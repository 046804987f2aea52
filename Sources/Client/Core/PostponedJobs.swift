import StatexProtocol

/// Jobs that somebody waits for, and the scheduler had no room to: it said how they stand, which is not final. After a
/// pause it is asked again, about each by itself, so that what is final of a request does not come once more.
struct PostponedJobs {
    private struct Job {
        let request: JobID
        /// It stands in `queue`. Else the scheduler was asked again, and now waits or has not answered.
        var isQueued = true
    }

    /// A session that nobody ended has the room until its lease time is over, usually 10 s; one that lives may have it
    /// as long as the jobs last, and then each of them costs the scheduler an answer so often.
    static let pause: Int64 = 5_000
    /// Asked for at a time, a quarter of what a session may ask; the others come a pause later.
    static let atOnce = Limits.awaits / 4

    private var jobs: [JobID: Job] = [:]
    private var queue = Fifo<JobID>()
    /// When the next are asked for; nil: there are none.
    private(set) var due: Int64?

    /// The request of a job that was postponed and has not ended yet.
    func request(of id: JobID) -> JobID? { jobs.isEmpty ? nil : jobs[id]?.request }

    mutating func add(_ record: ResultRecord, at now: Int64) {
        guard jobs[record.id]?.isQueued != true else { return }
        jobs[record.id] = Job(request: JobID(rawValue: record.id.rawValue - UInt64(record.index)))
        queue.append(record.id)
        if due == nil { due = now + Self.pause }
    }

    mutating func remove(_ id: JobID) {
        if !jobs.isEmpty { jobs[id] = nil }
    }

    /// The session's end, or whatever else makes the client ask for everything at once.
    mutating func removeAll() { self = PostponedJobs() }

    /// The jobs to ask for now.
    mutating func takeDue(at now: Int64) -> [(id: JobID, request: JobID)] {
        guard let due, now >= due else { return [] }
        var taken: [(id: JobID, request: JobID)] = []
        while taken.count < Self.atOnce, let id = queue.removeFirst() {
            guard let job = jobs[id], job.isQueued else { continue }
            jobs[id]?.isQueued = false
            taken.append((id, job.request))
        }
        self.due = queue.isEmpty ? nil : now + Self.pause
        return taken
    }
}
