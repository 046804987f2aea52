import CLinux
import StatexClient
import StatexProtocol
import StatexStack

/// After the last fault everything is normal again by itself, soon: three faults, one after the other, on one
/// stack with two workers whose slots are always full.
///
/// Half of the jobs are of the kind `steady`, half of the kind `faulty`. What is counted are final outcomes
/// in the journal, by the time of their commit. A few more jobs come one by one, from another client: they show
/// when submits are taken again.
package struct ReturnToNormal {
    package enum Phase: String, Sendable, CaseIterable {
        /// Every attempt at a job of the kind `faulty` fails.
        case failingKind = "failing_kind"
        case journalStopped = "journal_stopped"
        /// Five hundred more workers leave and come back, all at once, every few seconds.
        case reconnectStorm = "reconnect_storm"
    }

    package var phases = Phase.allCases
    package var journalFault = JournalFault.stop
    package var faultSeconds = 60
    package var beforeSeconds = 15
    package var afterSeconds = 30
    package var connections = 500
    package var workers = 2
    package var slots = 8
    package var jobMilliseconds = 2

    /// Until slots, caches and estimates are as they stay.
    private static let warmSeconds = 5
    /// From one reconnect of the storm to the next: longer than what became of the one before.
    private static let strikeSeconds = 5
    /// How long the load may take to end after the measurement.
    private static let drainSeconds = 60
    private static let kinds = ["steady", BenchWorker.faultyKind]

    package init() {}

    /// - Parameter progress: told what happens.
    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        try stack.startWorkers(workers, slots: slots, kinds: Self.kinds)
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(stack.submitEndpoint, settings: settings)
        // Another service: it does not hear what the first one is answered.
        settings.producer = ClientSettings().producer
        let other = try await Client(stack.submitEndpoint, settings: settings)
        var report = Report()
        for phase in phases {
            report.phases.append(try await run(phase, on: &stack, client, other, progress))
        }
        await client.close()
        await other.close()
        return report
    }

    private func run(
        _ phase: Phase, on stack: inout BenchStack, _ client: Client, _ other: Client,
        _ progress: (String) -> Void
    ) async throws -> PhaseReport {
        let watch = stack.watch
        let first = try JournalCount.nextID(stack.database)
        let storm = phase == .reconnectStorm ? try Storm(stack, connections) : nil
        let load = SteadyLoad(client, kinds: Self.kinds, payload: String(jobMilliseconds))
        let arrivals = Arrivals(other, kind: Self.kinds[0], payload: String(jobMilliseconds))
        let running = Task { try await load.run() }
        let arriving = Task { try await arrivals.run() }
        defer {
            load.stop()
            arrivals.stop()
        }
        var report = PhaseReport(phase: phase)
        progress("\(phase.words): \(Self.warmSeconds + beforeSeconds) s as usual")
        try await sleep(Self.warmSeconds, watch)
        let start = clinux_wall_microseconds()
        try await sleep(beforeSeconds, watch)
        let began = clinux_wall_microseconds()
        progress("\(phase.words): \(faultSeconds) s of fault")
        let ended = try await fault(&report, on: &stack, storm)
        progress("\(phase.words): \(afterSeconds) s after it")
        try await sleep(afterSeconds, watch)
        let end = clinux_wall_microseconds()
        load.stop()
        arrivals.stop()
        progress("\(phase.words): counting")
        report.sent = try await Self.inTime([client, other]) {
            try await running.value + (try await arriving.value)
        }
        report.admittedSeconds = arrivals.seconds(from: ended)
        report.slowestWelcome = try storm?.slowestWelcome()
        let count = try JournalCount(of: report.sent.acknowledged, from: first, stack.database)
        report.missing = count.missing
        report.doubled = count.doubled
        report.measure(
            try EndSeries.byKind(from: start, stack.database), kinds: Self.kinds, from: start, fault: began..<ended,
            until: end)
        return report
    }

    /// Makes the phase's fault.
    /// - Returns: when it ended, in microseconds since 1970.
    private func fault(_ report: inout PhaseReport, on stack: inout BenchStack, _ storm: Storm?) async throws -> Int64 {
        let watch = stack.watch
        switch report.phase {
        case .failingKind:
            try stack.setFailing(true)
            try await sleep(faultSeconds, watch)
            try stack.setFailing(false)
            return clinux_wall_microseconds()
        case .journalStopped:
            let ended = try await journalFault.run(on: &stack.postgres, seconds: faultSeconds) {
                try await Self.nap()
                try watch()
            }
            if journalFault == .restart {
                report.journalReadySeconds = Double(clinux_wall_microseconds() - ended) / 1e6
            }
            return ended
        case .reconnectStorm: return try await strikes(of: storm, watch)
        }
    }

    /// The storm again and again, the last time at the end.
    private func strikes(of storm: Storm?, _ watch: () throws -> Void) async throws -> Int64 {
        for time in stride(from: 0, to: faultSeconds, by: Self.strikeSeconds) {
            storm?.strike()
            try await sleep(min(Self.strikeSeconds, faultSeconds - time), watch)
        }
        let ended = clinux_wall_microseconds()
        storm?.strike()
        return ended
    }

    // MARK: Time

    private func sleep(_ seconds: Int, _ watch: () throws -> Void) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            try await Self.nap()
            try watch()
        }
    }

    /// Short, so that times are taken well.
    private static func nap() async throws { try await Task.sleep(for: .milliseconds(20)) }

    /// What was submitted, if all of it became final in time.
    private static func inTime(
        _ clients: [Client], _ sent: () async throws -> SteadyLoad.Sent
    ) async throws -> SteadyLoad.Sent {
        let alarm = Task {
            try await Task.sleep(for: .seconds(drainSeconds))
            // Then nobody waits any longer for what does not come.
            for client in clients { await client.close() }
        }
        defer { alarm.cancel() }
        do {
            return try await sent()
        } catch ClientError.closed {
            throw StackError("some jobs were not final \(drainSeconds) s after the load had ended")
        }
    }
}

extension Storm {
    fileprivate convenience init(_ stack: borrowing BenchStack, _ connections: Int) throws {
        try self.init(
            stack.program, endpoint: stack.workerEndpoint, connections: connections, directory: stack.directory)
    }
}
