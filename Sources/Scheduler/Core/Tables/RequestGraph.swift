import StatexProtocol

/// Who waits for whom in one request. Only requests with dependencies have one, as long as a job of theirs
/// is in memory.
///
/// The edges stand in one array by the job that is waited for: a fan of thousands is a slice of it.
struct RequestGraph: Sendable {
    /// By index: how many jobs it still waits for.
    private var waitsFor: [UInt16]
    /// Where a job's dependants begin in `dependants`; one more than there are jobs.
    private var starts: [Int32]
    /// Packed dependencies, whose index is that of the job that waits.
    private var dependants: [UInt16]
    /// When jobs that wait may start at the soonest, for the few that said so.
    private var startTimes: [UInt16: Int64] = [:]
    /// Jobs of the request that are in memory.
    var present: Int

    /// - Parameter edges: jobs that wait, with what each waits for; nothing that is final.
    init(jobs count: Int, present: Int, edges: [(job: UInt16, after: [JobDependency])]) {
        self.present = present
        waitsFor = [UInt16](repeating: 0, count: count)
        starts = [Int32](repeating: 0, count: count + 1)
        for edge in edges {
            waitsFor[Int(edge.job)] = UInt16(edge.after.count)
            for dependency in edge.after { starts[Int(dependency.index) + 1] += 1 }
        }
        for index in 0..<count { starts[index + 1] += starts[index] }
        dependants = [UInt16](repeating: 0, count: Int(starts[count]))
        var next = starts
        for edge in edges {
            for dependency in edge.after {
                var dependant = dependency
                dependant.index = edge.job
                dependants[Int(next[Int(dependency.index)])] = dependant.packed
                next[Int(dependency.index)] += 1
            }
        }
    }

    func isBlocked(_ job: UInt16) -> Bool { waitsFor[Int(job)] > 0 }

    /// The jobs that wait, or waited, for this one; packed.
    func dependants(of job: UInt16) -> ArraySlice<UInt16> {
        dependants[Int(starts[Int(job)])..<Int(starts[Int(job) + 1])]
    }

    /// One of the jobs that `job` waits for succeeded.
    /// - Returns: whether it was the last.
    mutating func satisfied(_ job: UInt16) -> Bool {
        precondition(waitsFor[Int(job)] > 0, "a job is released that waits for none")
        waitsFor[Int(job)] -= 1
        return waitsFor[Int(job)] == 0
    }

    mutating func setStart(of job: UInt16, at time: Int64) { startTimes[job] = time }
    mutating func takeStart(of job: UInt16) -> Int64? { startTimes.removeValue(forKey: job) }

    /// Jobs that this one waits, or waited, for; it looks at every edge.
    func dependencies(of job: UInt16) -> [UInt16] {
        (0..<job).filter { dependants(of: $0).contains { JobDependency(packed: $0).index == job } }
    }
}
