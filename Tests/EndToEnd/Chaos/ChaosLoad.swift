import StatexClient
import StatexProtocol
import StatexSchedulerCore
import Synchronization

/// The clients of a run: they submit mixed requests as fast as they are answered, remember every
/// acknowledged one, and wait for its end.
final class ChaosLoad: Sendable {
    /// An acknowledged request and what its client heard of it.
    struct Acknowledged {
        let jobs: [ChaosJob]
        var wasCancelled = false
        var heard: [JobStatus]?
    }

    private struct State {
        var requests: [JobID: Acknowledged] = [:]
        var complaints: [String] = []
        var isOver = false
    }

    private let state = Mutex(State())

    var acknowledged: [JobID: Acknowledged] { state.withLock { $0.requests } }
    var complaints: [String] { state.withLock { $0.complaints } }
    private var isOver: Bool { state.withLock { $0.isOver } }

    /// No more is submitted from now on.
    func end() { state.withLock { $0.isOver = true } }

    private func complain(_ text: String) { state.withLock { $0.complaints.append(text) } }

    /// Submits until `end`, then returns once everything is final. `client` must not be closed before,
    /// unless the patience is over: what was not heard by then is a complaint.
    func run(_ client: Client, number: Int, plan: ChaosPlan) async {
        var chance = SeededGenerator(seed: plan.seed &* 31 &+ UInt64(number))
        await withTaskGroup(of: Void.self) { group in
            if plan.hasCrashJob, number == 0 {
                let crash = ChaosJob(.crash, number: 0, using: &chance)
                await submit([([crash], nil)], client, cancels: [], &group)
            }
            var next = 0
            var running = 0
            while !isOver {
                var requests: [(jobs: [ChaosJob], key: String?)] = []
                for _ in 0..<Int.random(in: 1...20, using: &chance) {
                    var jobs: [ChaosJob] = []
                    for _ in 0..<Int.random(in: 1...3, using: &chance) {
                        next += 1
                        jobs.append(.random(number: next, using: &chance))
                    }
                    let hasKey = Int.random(in: 0..<20, using: &chance) == 0
                    requests.append((jobs, hasKey ? "\(number)-\(next)" : nil))
                }
                let cancelled = Set((0..<requests.count).filter { _ in Int.random(in: 0..<50, using: &chance) == 0 })
                running += await submit(requests, client, cancels: cancelled, &group)
                while running > plan.unfinished, await group.next() != nil { running -= 1 }
            }
        }
    }

    /// - Returns: how many tasks wait for results now.
    @discardableResult
    private func submit(
        _ requests: [(jobs: [ChaosJob], key: String?)], _ client: Client, cancels: Set<Int>,
        _ group: inout TaskGroup<Void>
    ) async -> Int {
        let answers = await client.submitEach(requests.map { Request($0.jobs.map(\.spec), key: $0.key) })
        var waiting = 0
        for (index, answer) in answers.enumerated() {
            switch answer {
            case .failure(let error): complain("a submit failed: \(error)")
            case .success(let handle):
                let jobs = requests[index].jobs
                let isNew = state.withLock {
                    $0.requests.updateValue(Acknowledged(jobs: jobs), forKey: handle.id) == nil
                }
                if !isNew || handle.jobCount != jobs.count { complain("request \(handle.id) was acknowledged twice") }
                waiting += 1
                let cancels = cancels.contains(index)
                let again = requests[index].key.map { Request(jobs.map(\.spec), key: $0) }
                group.addTask { await self.follow(handle, jobs, client, cancels: cancels, again: again) }
            }
        }
        return waiting
    }

    /// Waits for one request's end, and judges it.
    private func follow(
        _ handle: RequestHandle, _ jobs: [ChaosJob], _ client: Client, cancels: Bool, again: Request?
    ) async {
        do throws(ClientError) {
            if let again, try await client.submit(again).id != handle.id {
                complain("request \(handle.id) was made again under the same key")
            }
            if cancels {
                state.withLock { $0.requests[handle.id]?.wasCancelled = true }
                _ = try await handle.cancel()
            }
            let statuses = try await handle.result().jobs
            state.withLock { $0.requests[handle.id]?.heard = statuses }
            if statuses.map(\.id) != handle.jobIDs { complain("request \(handle.id) came back with other jobs") }
            for (job, status) in zip(jobs, statuses) {
                guard let objection = job.objection(to: status, wasCancelled: cancels) else { continue }
                complain("job \(status.id): \(objection)")
            }
        } catch {
            complain("request \(handle.id): \(error)")
        }
    }
}
