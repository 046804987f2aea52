import StatexClient
import StatexProtocol
import StatexThreads

/// One run: a stack, its load, its storm, and the judgement.
struct ChaosRun {
    let plan: ChaosPlan

    /// From the last fault until everything must be final. A crash job alone takes three workers with it,
    /// one after the other.
    private static let patience = Duration.seconds(60)
    private static let clients = 3
    /// Short, so that a run meets many ends of leases. A frozen worker loses its own, sometimes.
    private static let settings = [
        "lease_seconds": "1", "disconnect_grace_seconds": "0.3", "retry_backoff_seconds": "0.1",
    ]

    /// - Returns: what is wrong; empty: nothing. And what the run came to, to see that it did something.
    func complaints() async throws -> (complaints: [String], summary: String) {
        let stack = try TestStack(Self.settings)
        let started = ContinuousClock.now
        var complaints: [String]
        do { complaints = try await run(stack) } catch { complaints = ["\(error)"] }
        let summary = try stack.summary + ", \(ContinuousClock.now - started)"
        let words = stack.lastWords
        let left = stack.end(keepsFiles: !complaints.isEmpty)
        if !left.isEmpty { complaints.append("left over: processes \(left)") }
        if !complaints.isEmpty { complaints += ["the files are in \(stack.directory)", words] }
        return (complaints, summary)
    }

    private func run(_ stack: TestStack) async throws -> [String] {
        let storm = ChaosStorm(stack, plan)
        let load = ChaosLoad()
        let calm = try Wakeup()
        try await onThread { try storm.begin() }
        var clients: [Client] = []
        for number in 0..<Self.clients { clients.append(try await stack.client("chaos-\(number)")) }
        async let raging: Void = onThread { try storm.rage(until: calm) { load.end() } }
        await submit(load, clients)
        // Also when nothing came of it: the storm must end before it is waited for.
        load.end()
        calm.signal()
        try await raging
        var complaints = load.complaints
        if complaints.isEmpty { complaints += try await compare(load, clients[0]) }
        for client in clients { await client.close() }
        try await onThread { try storm.stop() }
        complaints += storm.complaints
        return try complaints + ChaosJudge(stack, load).complaints()
    }

    /// Returns when everything that was acknowledged is final, or the patience is over.
    private func submit(_ load: ChaosLoad, _ clients: [Client]) async {
        let deadline = ContinuousClock.now + plan.duration + Self.patience
        // Who waits too long hears `closed`, and complains of it.
        let watchdog = Task {
            guard (try? await ContinuousClock().sleep(until: deadline)) != nil else { return }
            for client in clients { await client.close() }
        }
        await withTaskGroup(of: Void.self) { group in
            for (number, client) in clients.enumerated() {
                group.addTask { await load.run(client, number: number, plan: plan) }
            }
        }
        watchdog.cancel()
    }

    /// What the scheduler says now of some of the requests is what was heard when they ended.
    private func compare(_ load: ChaosLoad, _ client: Client) async throws -> [String] {
        var complaints: [String] = []
        for (id, request) in load.acknowledged.sorted(by: { $0.key < $1.key }).prefix(50) {
            let now = try await client.result(ofRequest: id).jobs
            for (job, heard) in zip(now, request.heard ?? [])
            where job.state != heard.state || job.result != heard.result {
                complaints.append("job \(job.id) ended \(heard.state), and is \(job.state) now")
            }
        }
        return complaints
    }
}

/// Runs what blocks on a thread of its own, so that tasks are not kept from theirs.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { done in
        NamedThread("chaos") { done.resume(with: Result { try body() }) }.detach()
    }
}
