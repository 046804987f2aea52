/// What is open of a tenant, or in all: how many jobs, and how many bytes their payloads have.
package struct Backlog: Sendable, Equatable {
    /// What it may be at most; nil: anything.
    package struct Bounds: Sendable, Equatable {
        package var jobs: Int?
        package var bytes: Int?
        package init(jobs: Int? = nil, bytes: Int? = nil) {
            self.jobs = jobs
            self.bytes = bytes
        }
    }

    /// Why more is not admitted.
    package struct Refusal: Sendable, Equatable {
        package var message: String
        /// The bound is less than what was asked for alone.
        package var isForGood: Bool
        package var bound: Bound
    }

    package enum Bound: Sendable, Equatable {
        case jobs, bytes
    }

    package var jobs = 0
    package var bytes = 0

    package init(jobs: Int = 0, bytes: Int = 0) {
        self.jobs = jobs
        self.bytes = bytes
    }

    @inline(__always)
    package mutating func add(bytes more: UInt32) {
        jobs += 1
        bytes += Int(more)
    }

    @inline(__always)
    package mutating func remove(bytes less: UInt32) {
        jobs -= 1
        bytes -= Int(less)
        precondition(jobs >= 0 && bytes >= 0, "more jobs end than were open")
    }

    /// Why a request that adds so much does not fit, or nil.
    /// - Parameter whom: stands behind the names of bounds: ` of tenant acme`.
    package func refusal(_ request: Backlog, _ bounds: Bounds, of whom: @autoclosure () -> String) -> Refusal? {
        if let most = bounds.jobs, jobs + request.jobs > most {
            return Refusal(
                message:
                    "\(jobs) jobs\(whom()) are open and the request has \(request.jobs), max_open_jobs\(whom()) is \(most)",
                isForGood: request.jobs > most, bound: .jobs)
        }
        if let most = bounds.bytes, bytes + request.bytes > most {
            return Refusal(
                message:
                    "payloads of open jobs\(whom()) have \(bytes) bytes and those of the request \(request.bytes), max_open_bytes\(whom()) is \(most)",
                isForGood: request.bytes > most, bound: .bytes)
        }
        return nil
    }
}
