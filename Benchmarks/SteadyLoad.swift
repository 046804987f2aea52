import StatexClient
import StatexProtocol
import Synchronization

/// A load that keeps as many jobs open as it is told, of each of its kinds, until it is told to stop. So
/// slots never lack work, and nothing piles up while there is a fault.
final class SteadyLoad: Sendable {
    struct Sent: Sendable {
        /// Acknowledged by the scheduler: each must have one final outcome.
        var acknowledged = 0
        var finals = FinalCounts()
    }

    private let client: Client
    private let jobs: [BulkJobs]
    private let mayGoOn = Atomic<Bool>(true)

    /// Jobs of one submit; so many submits of each kind are under way. Together just more than what is always on
    /// the way: kinds wait for each other in waves of as many.
    private static let submitJobs = 20
    private static let submits = 10

    /// - Parameter payload: of every job.
    init(_ client: Client, kinds: [String], payload: String) {
        self.client = client
        jobs = kinds.map { kind in
            var jobs = BulkJobs(count: Self.submitJobs, kind: kind, payload: Array(payload.utf8))
            jobs.countsFinals = true
            return jobs
        }
    }

    /// Returns once it was told to stop and everything that it had submitted is final.
    func run() async throws(ClientError) -> Sent {
        let result = await withTaskGroup(of: Result<Sent, ClientError>.self) { group in
            for _ in 0..<Self.submits {
                for jobs in jobs { group.addTask { await self.submit(jobs) } }
            }
            var all: Result<Sent, ClientError> = .success(Sent())
            for await one in group {
                all = all.flatMap { sum in one.map { sum + $0 } }
                // One that fails ends all: their throughput would mean nothing.
                if case .failure = one { self.stop() }
            }
            return all
        }
        return try result.get()
    }

    func stop() { mayGoOn.store(false, ordering: .relaxed) }

    private func submit(_ jobs: BulkJobs) async -> Result<Sent, ClientError> {
        var sent = Sent()
        do throws(ClientError) {
            while mayGoOn.load(ordering: .relaxed) {
                let receipt = try await client.submit(bulk: jobs)
                sent.acknowledged += jobs.count
                sent.finals = sent.finals + (try await receipt.finals())
            }
            return .success(sent)
        } catch {
            return .failure(error)
        }
    }
}

extension SteadyLoad.Sent {
    static func + (one: Self, other: Self) -> Self {
        Self(acknowledged: one.acknowledged + other.acknowledged, finals: one.finals + other.finals)
    }
}

extension FinalCounts {
    fileprivate static func + (one: Self, other: Self) -> Self {
        var sum = one
        sum.succeeded += other.succeeded
        sum.failed += other.failed
        sum.dead += other.dead
        sum.cancelled += other.cancelled
        sum.expired += other.expired
        sum.unknown += other.unknown
        return sum
    }
}
