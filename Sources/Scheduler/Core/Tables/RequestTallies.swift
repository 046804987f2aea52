import StatexProtocol

/// How far the open requests of several jobs are: what is needed to know the last of a request's jobs, and
/// what became of the others, which are no longer in memory. A request of one job needs none.
struct RequestTallies: Sendable {
    /// In place of a tally's number: the request has one job.
    static let single: Int32 = -1

    private(set) var standings: [RequestStanding] = []
    private var free: [Int32] = []

    subscript(number: Int32) -> RequestStanding { standings[Int(number)] }

    mutating func add(_ standing: RequestStanding) -> Int32 {
        if let number = free.popLast() {
            standings[Int(number)] = standing
            return number
        }
        standings.append(standing)
        return Int32(standings.count - 1)
    }

    /// A new owner found another open job of the request.
    mutating func found(_ number: Int32) { standings[Int(number)].open += 1 }

    /// A job's final outcome is durable.
    mutating func ended(_ number: Int32, as final: JobState) {
        precondition(standings[Int(number)].open > 0, "more jobs of a request end than it has")
        standings[Int(number)].ended(as: final)
        if standings[Int(number)].open == 0 { free.append(number) }
    }
}

/// How a request stands: the jobs that it was submitted with. A retry by hand comes beside them and changes
/// nothing of it, so a request reaches its state once.
package struct RequestStanding: Sendable, Equatable {
    /// Of its first job: the request goes by these.
    package var kind: Int32
    package var tenant: Int32
    /// Jobs without a durable final outcome.
    package var open: UInt16
    package var hasFailed = false
    package var hasCancelled = false

    package init(kind: Int32, tenant: Int32, open: UInt16) {
        self.kind = kind
        self.tenant = tenant
        self.open = open
    }

    package mutating func ended(as final: JobState) {
        open -= 1
        note(final)
    }

    package mutating func note(_ final: JobState) {
        switch final {
        case .failed, .dead, .expired: hasFailed = true
        case .cancelled: hasCancelled = true
        case .succeeded, .blocked, .delayed, .queued, .leased, .running: break
        }
    }

    package var state: RequestState {
        if open > 0 { return .open }
        return hasFailed ? .failed : hasCancelled ? .cancelled : .succeeded
    }
}
