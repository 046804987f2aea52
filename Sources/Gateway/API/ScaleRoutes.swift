import Hummingbird
import StatexClient
import StatexProtocol
import Synchronization

/// `/v1/scale`: how many workers a kind needs. What is not known, or has nothing to do, needs none: an autoscaler that
/// hears 404 never leaves zero.
struct ScaleRoutes: Sendable {
    let scheduler: SchedulerLink
    let rule: ScaleRule
    let memory: ScaleMemory

    var endpoints: [Endpoint] { [Endpoint(.get, "/v1/scale", for: .read, answer: scale)] }

    @Sendable private func scale(_ call: Call) async throws -> Response {
        try call.identity.checkSeesEverything()
        let query = try Query(call.request, ["kind", "label"])
        guard let kind = try query.text("kind") else { throw Problem.field("kind", "is missing") }
        let label = try query.text("label")
        var figures = ScaleRule.Figures(try await scheduler.status().status, kind: kind, label: label)
        let desired = memory.desired(by: rule, &figures, of: .init(kind: kind, label: label))
        var text = JSONText()
        text.object {
            $0.member("desired", desired)
            $0.member("backlog", figures.backlog)
            $0.member("backlog_seconds", figures.backlogSeconds)
            $0.member("oldest_seconds", figures.oldestSeconds)
            $0.member("running", figures.running)
            $0.member("slots", figures.slots)
        }
        return Response(json: text)
    }
}

/// What was needed of late, by what was asked for.
final class ScaleMemory: Sendable {
    struct Key: Hashable, Sendable {
        let kind: String
        let label: String?
    }

    private let began = ContinuousClock.now
    private let all = Mutex<[Key: ScaleRule.Memory]>([:])
    /// Kinds and labels that are remembered: more than anybody scales. Beyond it nothing is held.
    private static let most = 1_000

    /// - Parameter figures: what runs is set by what ended of late.
    func desired(by rule: ScaleRule, _ figures: inout ScaleRule.Figures, of key: Key) -> Int {
        let time = (ContinuousClock.now - began).components
        let now = Double(time.seconds) + Double(time.attoseconds) / 1e18
        return all.withLock { all in
            var memory = all[key] ?? ScaleRule.Memory()
            figures.running = memory.running(figures, at: now)
            let desired = memory.desired(rule.need(figures), hold: rule.hold, at: now)
            // What needs nothing needs no memory.
            if desired == 0 { all[key] = nil } else if all[key] != nil || all.count < Self.most { all[key] = memory }
            return desired
        }
    }
}

extension ScaleRule.Figures {
    /// - Parameter label: of jobs that require it, and of workers that have it; what runs is all that those run.
    init(_ status: SchedulerStatus, kind: String, label: String?) {
        self.init()
        let workers = status.workers.filter { worker in
            worker.connected && !worker.draining && worker.kinds.contains { $0.kind == kind }
                && label.map { worker.labels.contains($0) } ?? true
        }
        self.workers = workers.count
        slots = workers.reduce(0) { $0 + $1.slots }
        guard let queue = status.queues.first(where: { $0.kind == kind }) else { return }
        backlog = queue.queued
        backlogSeconds = queue.backlogSeconds ?? 0
        oldestSeconds = queue.oldestSeconds ?? 0
        // Workers hold more than they run, so that no slot waits for the next job.
        running = min(queue.leased, workers.reduce(0) { $0 + min($1.leases, $1.slots) })
        if let runs = queue.runs, let seconds = queue.runSeconds, label == nil { ended = (runs, seconds) }
        guard let label else { return }
        backlog = queue.labelled?.filter { $0.labels.contains(label) }.reduce(0) { $0 + $1.queued } ?? 0
        let share = queue.queued > 0 ? Double(backlog) / Double(queue.queued) : 0
        backlogSeconds *= share
        if backlog == 0 { oldestSeconds = 0 }
    }
}
