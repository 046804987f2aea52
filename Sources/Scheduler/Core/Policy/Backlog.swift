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

    @inline(__always)
    package func isWithin(_ bounds: Bounds) -> Bool { jobs <= bounds.jobs ?? .max && bytes <= bounds.bytes ?? .max }

    /// Why a request is refused with which this is open: it stands outside of the bounds.
    ///
    /// - Parameter request: what the request alone adds.
    package func refusal(_ request: Backlog, _ bounds: Bounds, of whom: String) -> (message: String, isForGood: Bool) {
        if let most = bounds.jobs, jobs > most {
            return (
                "\(jobs - request.jobs) jobs\(whom) are open and the request has \(request.jobs), "
                    + "max_open_jobs\(whom) is \(most)", request.jobs > most
            )
        }
        return (
            "payloads of open jobs\(whom) have \(bytes - request.bytes) bytes and those of the request \(request.bytes), "
                + "max_open_bytes\(whom) is \(bounds.bytes ?? .max)", request.bytes > bounds.bytes ?? .max
        )
    }
}
