import StatexProtocol

/// Clients that wait for a job besides the one that its record names.
package struct Waits: Sendable {
    private var byJob: [UInt64: [UInt32]] = [:]
    private var byClient: [UInt32: Set<UInt64>] = [:]

    package init() {}

    /// - Returns: false: the client waits for `most` others, and not for this one.
    package mutating func add(_ client: UInt32, job: UInt64, atMost most: Int) -> Bool {
        if byJob[job]?.contains(client) == true { return true }
        guard byClient[client]?.count ?? 0 < most else { return false }
        byJob[job, default: []].append(client)
        byClient[client, default: []].insert(job)
        return true
    }

    package func clients(of job: UInt64) -> [UInt32] { byJob[job] ?? [] }

    /// The clients that wait for a job, which then no longer do.
    package mutating func take(job: UInt64) -> [UInt32] {
        let clients = byJob.removeValue(forKey: job) ?? []
        for client in clients {
            byClient[client]?.remove(job)
        }
        return clients
    }

    package mutating func remove(client: UInt32) {
        for job in byClient.removeValue(forKey: client) ?? [] {
            byJob[job]?.removeAll { $0 == client }
            if byJob[job]?.isEmpty == true { byJob[job] = nil }
        }
    }
}
