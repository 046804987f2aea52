import CLinux
import StatexHandlerAPI
import StatexProtocol
import StatexTracing
import StatexWorkerCore

/// One concurrent execution: takes a job, lets its handler run, puts the outcome out, again and again.
struct Slot: Sendable {
    let index: Int
    let handOff: HandOff
    /// By the place of the kind in HELLO.
    let handlers: [any Handler]
    let kinds: [String]
    let results: ResultRules
    let reports: ReportDesk
    let failures: FailureLog
    /// The worker's name, and where its attempts are recorded.
    let worker: String
    let spans: SpanQueue?

    /// Runs until the hand-off is closed.
    func work() async {
        var ended: EndedAttempt?
        while true {
            // The end of one job is the start of the next: one look at the clock serves both.
            let now = ended?.endedAt ?? clinux_monotonic_nanoseconds()
            switch handOff.exchange(slot: index, ended: ended.take(), at: now) {
            case .job(let started): ended = await run(started)
            case .batch(let jobs): handOff.put(slot: index, endedBatch: await run(jobs))
            case .nothing: await handOff.waitForJobs()
            case .closed: return
            }
        }
    }

    private func run(_ started: consuming StartedJob) async -> EndedAttempt {
        let lease = started.lease
        let startedAt = started.startedAt
        let kind = Int(lease.kind)
        let cancellation = isRecorded(lease) ? started.cancellation : nil
        var attempt = EndedAttempt(lease.handle, startedAt: startedAt, endedAt: startedAt, ending: .succeeded)
        do {
            let job = try Job(started, kind: kinds[kind], reports)
            try results.report(try await handlers[kind].run(job), in: &attempt)
        } catch {
            report(error, of: lease, in: &attempt)
        }
        attempt.endedAt = clinux_monotonic_nanoseconds()
        if let cancellation { record(attempt, of: lease, cancellation, boot: AttemptTrace.boot()) }
        return attempt
    }
}

// Traces.
extension Slot {
    private func isRecorded(_ lease: QueuedLease) -> Bool { spans != nil && lease.trace != nil }

    private func record(_ attempt: EndedAttempt, of lease: QueuedLease, _ cancellation: Cancellation, boot: Int64) {
        guard let spans, let trace = lease.trace else { return }
        trace.record(
            attempt, of: lease, kind: kinds[Int(lease.kind)], worker: worker, stop: cancellation.reason,
            boot: boot, in: spans)
    }
}

extension Slot {
    private func report(_ error: any Error, of lease: QueuedLease, in attempt: inout EndedAttempt) {
        results.report(error, in: &attempt)
        failures.failed(lease, kind: kinds[Int(lease.kind)], error, at: clinux_monotonic_nanoseconds())
    }
}

// Jobs that run together.
extension Slot {
    private func run(_ batch: [StartedJob]) async -> [EndedAttempt] {
        var attempts = batch.map {
            EndedAttempt($0.lease.handle, startedAt: $0.startedAt, endedAt: $0.startedAt, ending: .succeeded)
        }
        do {
            let outcomes = try await outcomes(of: batch)
            for (place, outcome) in outcomes.enumerated() {
                do { try results.report(try outcome.get(), in: &attempts[place]) } catch {
                    report(error, of: batch[place].lease, in: &attempts[place])
                }
            }
        } catch {
            for place in attempts.indices { report(error, of: batch[place].lease, in: &attempts[place]) }
        }
        let now = clinux_monotonic_nanoseconds()
        let boot = spans == nil ? 0 : AttemptTrace.boot()
        for place in attempts.indices {
            attempts[place].endedAt = now
            record(attempts[place], of: batch[place].lease, batch[place].cancellation, boot: boot)
            // Each ran for its share: so run times add up to what the slot was busy for.
            let share = max(now - attempts[place].startedAt, 0) / Int64(attempts.count)
            attempts[place].startedAt = now - share
        }
        return attempts
    }

    private func outcomes(of batch: [StartedJob]) async throws -> [Result<Payload, HandlerError>] {
        guard let first = batch.first, let handler = handlers[Int(first.lease.kind)] as? any BatchHandler else {
            throw HandlerError.noOutcome(of: batch.count, got: 0)
        }
        let kind = kinds[Int(first.lease.kind)]
        let outcomes = try await handler.run(try batch.map { try Job($0, kind: kind, reports) })
        guard outcomes.count == batch.count else {
            throw HandlerError.noOutcome(of: batch.count, got: outcomes.count)
        }
        return outcomes
    }
}

extension JobInput {
    package init(_ input: LeaseInput) {
        self.init(
            job: Int(input.index),
            payload: input.encoding == .object ? .object(reference: input.body) : .bytes(input.body))
    }
}

extension Job {
    init(_ started: consuming StartedJob, kind: String, _ reports: ReportDesk) throws(WireError) {
        let lease = started.lease
        self.init(
            id: lease.id, kind: kind, attempt: Int(lease.attempt),
            payload: lease.encoding == Encoding.object.rawValue
                ? .object(reference: started.payload) : .bytes(started.payload),
            inputs: try LeaseInput.list(Int(lease.inputs), in: started.inputs.span.bytes).map(JobInput.init),
            runLimitMilliseconds: Int(lease.runLimitMilliseconds), cancellation: started.cancellation,
            checkpoint: started.checkpoint, trace: lease.trace?.context, listener: reports,
            number: lease.handle.number)
    }
}
