import StatexProtocol

/// Whose jobs are these? Asked for clients whose key is for some tenants, of a thread that reads the journal.
package struct TenantQuestion: Sendable {
    /// Comes back with the answer.
    package var tag: UInt64
    package var jobs: [UInt64]
    /// Each stands for all of its jobs.
    package var requests: [UInt64]
    package var tenants: [String]

    package init(tag: UInt64, jobs: [UInt64], requests: [UInt64], tenants: [String]) {
        self.tag = tag
        self.jobs = jobs
        self.requests = requests
        self.tenants = tenants
    }
}

/// Those of them that are these tenants'.
package struct TenantAnswer: Sendable {
    package var tag: UInt64
    package var jobs: Set<UInt64> = []
    package var requests: Set<UInt64> = []
    /// Why it is not known, or nil.
    package var failure: String?

    package init(tag: UInt64, jobs: Set<UInt64>, requests: Set<UInt64>) {
        self.tag = tag
        self.jobs = jobs
        self.requests = requests
    }

    package init(tag: UInt64, failure: String) {
        self.tag = tag
        self.failure = failure
    }

    package func names(_ id: JobID, _ isRequest: Bool) -> Bool {
        isRequest ? requests.contains(id.rawValue) : jobs.contains(id.rawValue)
    }
}
