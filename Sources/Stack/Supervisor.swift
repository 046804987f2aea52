import Glibc

/// Keeps the processes of one stack running, until it is told to stop or cannot go on; then stops them
/// in order. Everything happens on the thread that calls `run`.
final class Supervisor {
    private let services: [Service]
    private let signals: SignalChannel
    private let log: (String) -> Void
    /// Called when all serve, and again when a process was replaced.
    private let ready: ([Service]) throws(StackError) -> Void
    private var hasServed = false

    /// A process that died this often before everything served will not come to serve.
    private static let deathsBeforeServing = 3

    init(
        _ plans: [Service.Plan], log: @escaping (String) -> Void,
        ready: @escaping ([Service]) throws(StackError) -> Void
    ) throws(StackError) {
        services = plans.map(Service.init)
        self.log = log
        self.ready = ready
        signals = try SignalChannel.open()
    }

    /// Returns after a signal asked for the end.
    func run() throws(StackError) {
        do throws(StackError) {
            while true {
                let news = signals.take()
                if news.stops > 0 { break }
                if news.rereads { reread() }
                if try lookAtAll() { try announce() }
                waitForNews()
            }
            log("stopping")
        } catch {
            stop()
            throw error
        }
        stop()
    }

    /// The scheduler reads its configuration again.
    private func reread() {
        for service in services where service.plan.role == .scheduler { service.signal(SIGHUP) }
    }

    /// - Returns: whether the set of serving processes changed.
    private func lookAtAll() throws(StackError) -> Bool {
        let now = ContinuousClock.now
        var changed = false
        for service in services where mayBeLookedAt(service) {
            switch try service.look(at: now) {
            case nil, .started: break
            case .serves: changed = true
            case .died(let status, let delay):
                changed = try note(service, status, delay) || changed
            }
        }
        return changed
    }

    /// The others need the database when they start. Later they live through its restarts.
    private func mayBeLookedAt(_ service: Service) -> Bool {
        service.plan.role == .postgres || hasServed || services.allSatisfy { $0.plan.role != .postgres || $0.isServing }
    }

    /// - Returns: whether the serving processes are others for good.
    private func note(_ service: Service, _ status: ProcessEnd, _ delay: Duration?) throws(StackError) -> Bool {
        let name = service.plan.name
        guard let delay else {
            let text = "\(name) ended with \(status), which says that it must not be started again"
            guard hasServed, case .exited = status else {
                if case .exited(let code) = status { throw StackError(text, exitCode: code) }
                throw StackError(text)
            }
            log("\(text); the rest goes on")
            return true
        }
        if !hasServed, service.restarts.deaths >= Self.deathsBeforeServing {
            throw StackError(
                "\(name) ended \(service.restarts.deaths) times before it served, the last time with \(status); its last words are above or in its log"
            )
        }
        let logs = service.plan.logs.map { " (see \($0))" } ?? ""
        log("\(name) ended with \(status)\(logs); starting it again\(delay > .zero ? " in \(delay)" : "")")
        return false
    }

    private func announce() throws(StackError) {
        guard services.allSatisfy({ $0.isServing || $0.hasEnded }) else { return }
        try ready(services)
        hasServed = true
    }

    private func waitForNews() {
        var descriptors = [signals.descriptor]
        var deadline: ContinuousClock.Instant?
        for service in services where mayBeLookedAt(service) {
            service.addDescriptors(to: &descriptors)
            if let next = service.deadline { deadline = min(deadline ?? next, next) }
        }
        waitReadable(descriptors, until: deadline)
    }

    // MARK: Stopping

    /// The gateway first, so that nobody asks for what is going; workers, so that they can hand back and report; then
    /// the scheduler, then the database. A further signal ends the patience with those that are being waited for.
    private func stop() {
        for role in [Service.Role.gateway, .worker, .scheduler, .postgres] {
            let group = services.filter { $0.plan.role == role && $0.pid != nil }
            for service in group { service.signal(service.plan.stopSignal) }
            wait(for: group)
        }
    }

    private func wait(for group: [Service]) {
        var hurry = false
        let start = ContinuousClock.now
        var patient = group
        var left = group
        while true {
            left = left.filter { $0.reap() == nil }
            if left.isEmpty { return }
            let passed = ContinuousClock.now - start
            for service in patient where service.pid != nil && (hurry || passed > service.plan.stopLimit) {
                log("\(service.plan.name) does not stop in time; ending it")
                service.signal(service.plan.lastSignal)
            }
            patient = patient.filter { $0.pid != nil && !hurry && passed <= $0.plan.stopLimit }
            var descriptors = [signals.descriptor]
            for service in left { service.addDescriptors(to: &descriptors, watchingReadiness: false) }
            // After the last signal there is nothing to do but to wait for the end.
            waitReadable(descriptors, until: patient.map { start + $0.plan.stopLimit }.min())
            if signals.take().stops > 0 { hurry = true }
        }
    }
}
