import Glibc
import StatexThreads
import Synchronization

@testable import StatexStack

/// Does the plan to a stack, and starts again whatever ended. It blocks.
///
/// Unchecked: a run calls one method after the other, each on a thread of its own, and waits for it.
final class ChaosStorm: @unchecked Sendable {
    private enum Service: Hashable {
        case scheduler
        case worker(Int)
        case postgres
    }

    private enum Step {
        case fault(ChaosPlan.Event)
        case start(Service)
        case goOn(RunningProcess)
    }

    static let workers = 3

    private let stack: TestStack
    private let plan: ChaosPlan
    private var running: [Service: RunningProcess] = [:]
    /// Schedulers that others took over from.
    private var replaced: [RunningProcess] = []
    private var steps: [(at: ContinuousClock.Instant, step: Step)] = []
    private var chance = SystemRandomNumberGenerator()
    private(set) var complaints: [String] = []

    init(_ stack: TestStack, _ plan: ChaosPlan) {
        self.stack = stack
        self.plan = plan
    }

    /// Starts everything.
    func begin() throws {
        running[.scheduler] = try stack.startScheduler()
        for number in 0..<Self.workers { running[.worker(number)] = try launch(number) }
    }

    private func launch(_ number: Int) throws -> RunningProcess {
        try stack.launchWorker("w\(number)", slots: number + 1)
    }

    /// Goes through the plan, then keeps everything running until `calm` is signalled.
    func rage(until calm: Wakeup, stormIsOver: () -> Void) throws {
        let start = ContinuousClock.now
        steps = plan.events.map { (start + $0.at, .fault($0)) }
        let end = start + plan.duration
        var isOver = false
        while true {
            let now = ContinuousClock.now
            if !isOver, now >= end {
                isOver = true
                stormIsOver()
            }
            if let due = steps.indices.filter({ steps[$0].at <= now }).min(by: { steps[$0].at < steps[$1].at }) {
                try perform(steps.remove(at: due).step)
                continue
            }
            noticeEnds(at: now)
            let next = (steps.map(\.at) + (isOver ? [] : [end])).min()
            waitReadable([calm.descriptor] + running.values.filter { $0.end == nil }.map(\.descriptor), until: next)
            if isOver, steps.isEmpty, isSignalled(calm) { return }
        }
    }

    private func isSignalled(_ wakeup: Wakeup) -> Bool {
        var item = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&item, 1, 0) > 0
    }

    // MARK: Faults

    private func perform(_ step: Step) throws {
        switch step {
        case .start(.scheduler):
            // One that was replaced may still be the owner, if its successor died before it was.
            running[.scheduler] = try stack.launchScheduler(takesOver: replaced.contains { $0.end == nil })
        case .start(.worker(let number)): running[.worker(number)] = try launch(number)
        case .start(.postgres): try stack.startPostgres()
        case .goOn(let process): process.signal(SIGCONT)
        case .fault(let event): try strike(event)
        }
    }

    private func strike(_ event: ChaosPlan.Event) throws {
        let worker = Service.worker(event.victim % Self.workers)
        switch event.fault {
        case .schedulerKilled: end(.scheduler, SIGKILL, event)
        case .schedulerStopped: end(.scheduler, SIGTERM, event)
        case .schedulerFrozen: freeze(.scheduler, event)
        case .schedulerReplaced: try replaceScheduler(event)
        case .workerKilled: end(worker, SIGKILL, event)
        case .workerStopped: end(worker, SIGTERM, event)
        case .workerFrozen: freeze(worker, event)
        case .handlerKilled: kill(oneOf: running.values.flatMap { ProcessTable.descendants(of: $0.pid) }, event)
        case .backendKilled: kill(oneOf: stack.backends, event)
        case .postgresKilled, .postgresStopped:
            guard stack.postgresPID != nil else { return }
            if event.fault == .postgresKilled { try stack.killPostgres() } else { try stack.stopPostgres() }
            schedule(.start(.postgres), in: event.pause)
        }
    }

    private func end(_ service: Service, _ signal: Int32, _ event: ChaosPlan.Event) {
        guard let process = running[service], process.end == nil else { return }
        process.signal(signal)
        // Killed, it is started again after the pause; ending in order may take longer, and is noticed.
        guard signal == SIGKILL, (try? process.waitForEnd()) != nil else { return }
        running[service] = nil
        schedule(.start(service), in: event.pause)
    }

    private func freeze(_ service: Service, _ event: ChaosPlan.Event) {
        guard let process = running[service] else { return }
        process.signal(SIGSTOP)
        schedule(.goOn(process), in: event.pause)
    }

    private func replaceScheduler(_ event: ChaosPlan.Event) throws {
        guard let old = running[.scheduler], old.end == nil else { return }
        old.signal(SIGSTOP)
        running[.scheduler] = try stack.launchScheduler(takesOver: true)
        replaced.append(old)
        schedule(.goOn(old), in: event.pause)
    }

    private func kill(oneOf victims: [pid_t], _ event: ChaosPlan.Event) {
        guard !victims.isEmpty else { return }
        Glibc.kill(victims[event.victim % victims.count], SIGKILL)
    }

    private func schedule(_ step: Step, in pause: Duration) { steps.append((.now + pause, step)) }

    /// Whatever ended by itself is started again soon.
    private func noticeEnds(at now: ContinuousClock.Instant) {
        for (service, process) in running {
            guard let end = process.end else { continue }
            // Of two that took over one after the other, the first may have been the slower: then it is the owner.
            if service == .scheduler, end == .exited(SchedulerExit.fenced),
                let owner = replaced.lastIndex(where: { $0.end == nil })
            {
                running[.scheduler] = replaced.remove(at: owner)
                replaced.append(process)
                continue
            }
            if case .exited(let code) = end, code != 0, code != 1 || service != .scheduler {
                complaints.append("\(process.name) ended with \(end): \(process.said.suffix(500))")
            }
            running[service] = nil
            schedule(.start(service), in: .milliseconds(Int.random(in: 0...200, using: &chance)))
        }
    }

    // MARK: The end

    /// Everything ends in order, and says that it did.
    func stop() throws {
        for process in replaced {
            let end = try process.waitForEnd()
            // 0: it was stopping already; 1: it met a restart of Postgres too; the signal: it was told to
            // stop before it listened to signals, so before it did anything; 76: it waited for Postgres until its successor
            // was the owner.
            let fine = [75, 76, 0, 1].contains { end == .exited($0) } || end == .signalled(SIGTERM)
            if !fine { complaints.append("a replaced scheduler ended with \(end)") }
        }
        for service in (0..<Self.workers).map(Service.worker) + [.scheduler] {
            guard let process = running[service] else { continue }
            let end = try process.stop()
            if end != .exited(0) { complaints.append("\(process.name) was stopped and ended with \(end)") }
        }
    }
}
