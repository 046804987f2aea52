import CLinux
import StatexClient
import Synchronization

/// Jobs that come one by one, whatever becomes of those before: what services do that do not wait. It shows
/// when submits are taken again.
final class Arrivals: Sendable {
    private let client: Client
    private let kind: String
    private let payload: [UInt8]
    private let mayGoOn = Atomic<Bool>(true)
    /// When each was acknowledged, in microseconds since 1970.
    private let acknowledged = Mutex<[Int64]>([])

    private static let interval = Duration.milliseconds(100)

    init(_ client: Client, kind: String, payload: String) {
        self.client = client
        self.kind = kind
        self.payload = Array(payload.utf8)
    }

    /// Returns once it was told to stop, and everything that came is final.
    func run() async throws(ClientError) -> SteadyLoad.Sent {
        let result = await withTaskGroup(of: Result<SteadyLoad.Sent, ClientError>.self) { group in
            while mayGoOn.load(ordering: .relaxed) {
                group.addTask { await self.submit() }
                // A task that is cancelled goes on until it is told to stop.
                try? await Task.sleep(for: Self.interval)
            }
            var all: Result<SteadyLoad.Sent, ClientError> = .success(SteadyLoad.Sent())
            for await one in group { all = all.flatMap { sum in one.map { sum + $0 } } }
            return all
        }
        return try result.get()
    }

    func stop() { mayGoOn.store(false, ordering: .relaxed) }

    /// Seconds from a moment until one was acknowledged.
    func seconds(from moment: Int64) -> Double? {
        acknowledged.withLock { times in times.filter { $0 >= moment }.min() }.map { Double($0 - moment) / 1e6 }
    }

    private func submit() async -> Result<SteadyLoad.Sent, ClientError> {
        var jobs = BulkJobs(count: 1, kind: kind, payload: payload)
        jobs.countsFinals = true
        do throws(ClientError) {
            let receipt = try await client.submit(bulk: jobs)
            acknowledged.withLock { $0.append(clinux_wall_microseconds()) }
            return .success(SteadyLoad.Sent(acknowledged: 1, finals: try await receipt.finals()))
        } catch {
            return .failure(error)
        }
    }
}
