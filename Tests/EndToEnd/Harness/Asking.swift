import Foundation
import StatexClient
import StatexProtocol
import Testing

@testable import StatexStack

/// What a scheduler says of itself, as far as tests look at it.
struct SchedulerStatus: Decodable {
    struct Worker: Decodable {
        var name: String
        var connected: Bool
        var leases: Int
    }
    struct Journal: Decodable {
        var state: String
    }
    var epoch: Int
    var clients: Int
    var journal: Journal
    var counts: [String: Int]
    var workers: [Worker]
}

extension Client {
    func decodedStatus() async throws -> SchedulerStatus {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(SchedulerStatus.self, from: Data(try await schedulerStatus().utf8))
    }
}

extension RunningProcess {
    /// Asks again and again until the answer is yes, while this process lives. For what no process
    /// announces; each question is a round trip.
    func eventually(
        _ what: String, within limit: Duration = .seconds(60), _ holds: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while try await !holds() {
            guard ContinuousClock.now < deadline else { throw HarnessError("not within \(limit): \(what)") }
            // Paced by watching the process: nothing is gained by asking ten times a millisecond.
            waitReadable([descriptor], until: min(deadline, .now + .milliseconds(10)))
            if let end { throw HarnessError("\(name) ended with \(end) before: \(what)") }
        }
    }
}

/// One lease or outcome of a job, in the journal's order.
extension TestStack {
    func leases(of job: JobID) throws -> Int {
        try number("SELECT count(*) FROM statex.leases WHERE page = \(job.page) AND job = \(job)")
    }

    /// Each lease of the job, oldest first: its attempt and its worker's name and incarnation.
    func leasesInOrder(of job: JobID) throws -> [(attempt: Int, worker: String, leasedAt: Date)] {
        try rows(
            """
            SELECT attempt, worker_name, extract(epoch FROM leased_at) FROM statex.leases
            WHERE page = \(job.page) AND job = \(job) ORDER BY token
            """, columns: 3
        ).map { (Int($0[0]) ?? 0, $0[1], Date(timeIntervalSince1970: Double($0[2]) ?? 0)) }
    }

    /// `ending` of each outcome, the final one marked with its state: `["lost", "succeeded=succeeded"]`.
    func outcomes(of job: JobID) throws -> [String] {
        try rows(
            """
            SELECT ending || CASE WHEN final THEN '=' || state ELSE '' END FROM statex.outcomes
            WHERE page = \(job.page) AND job = \(job) ORDER BY batch, token
            """
        ).map { $0[0] }
    }

    var jobCount: Int { get throws { try number("SELECT count(*) FROM statex.jobs") } }
}
