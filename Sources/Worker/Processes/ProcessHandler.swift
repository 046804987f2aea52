// A handler whose jobs run in child processes: as many as there are slots, started when first needed,
// kept warm between jobs, each with one call at a time: a job, or several that it runs together.

import Glibc
import StatexHandlerAPI
import StatexThreads
import Synchronization

package final class ProcessHandler: BatchHandler {
    package let settings: ProcessSettings
    package var kind: String { settings.kind }
    package var batchSize: Int { settings.batchSize }
    package var batchWaitMilliseconds: Int { settings.batchWaitMilliseconds }

    private struct State {
        var idle: [HandlerProcess] = []
        var isClosed = false
        var isSwept = false
        var isolation: IsolationReport?
        var backoff = StartBackoff()
        var starts: UInt64 = 0
    }
    private let state = Mutex(State())
    private let permits: Permits

    /// - Throws: `HandlerError` with what is wrong with the settings.
    package init(_ settings: ProcessSettings) throws(HandlerError) {
        if let fault = settings.fault() { throw HandlerError(.start, "\(settings.kind): \(fault)", retryable: false) }
        self.settings = settings
        do {
            permits = try Permits(settings.processes)
        } catch {
            throw HandlerError(.start, "\(error)")
        }
    }

    /// The isolation of the last process that started; nil: none did yet.
    package var isolation: IsolationReport? { state.withLock { $0.isolation } }

    /// How often one of its processes was started.
    package var starts: UInt64 { state.withLock { $0.starts } }

    /// Blocks the calling thread until the attempt is over.
    package func run(_ job: Job) async throws -> Payload { try attempt(job) }

    /// Blocks the calling thread until all attempts are over. One that is to stop lets the others go on; when all are
    /// that are unfinished, the process is ended. When it dies, those that were answered keep their results.
    package func run(_ jobs: [Job]) async throws -> [Result<Payload, HandlerError>] { try attempt(jobs) }

    /// Starts one process and keeps it for the first job, so it takes as long as a model to load. To be
    /// asked before jobs are taken.
    package func unavailable() async -> String? {
        guard state.withLock({ $0.idle.isEmpty }) else { return nil }
        return await startFirst()
    }

    private func startFirst() async -> String? {
        await onThread { [self] () -> String? in
            do throws(HandlerError) {
                let process = try start(wake: nil)
                keep(process)
                return nil
            } catch {
                return error.message
            }
        }
    }

    /// Ends the idle processes, and those that are busy when their jobs end.
    package func close() async {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        await onThread {
            for var process in idle { process.end(graceMilliseconds: 0) }
        }
    }

    // MARK: one call

    func attempt(_ job: Job) throws(HandlerError) -> Payload {
        guard let result = try attempt([job]).first else { throw HandlerError.noOutcome(of: 1, got: 0) }
        return try result.get()
    }

    private func attempt(_ jobs: [Job]) throws(HandlerError) -> [Result<Payload, HandlerError>] {
        let wake: Wakeup
        do {
            wake = try Wakeup()
        } catch {
            throw HandlerError(.start, "\(error)")
        }
        for job in jobs { job.cancellation.onCancel { _ in wake.signal() } }
        defer { for job in jobs { job.cancellation.onCancel(nil) } }
        while !permits.take(orWokenBy: wake) {
            wake.clear()
            if let stopped = Self.stopped(jobs) { return stopped }
        }
        defer { permits.giveBack() }
        while true {
            guard let (found, isNew) = try nextProcess(wake) else {
                wake.clear()
                if let stopped = Self.stopped(jobs) { return stopped }
                continue
            }
            var process = found
            let end = process.run(jobs, settings, wake: wake)
            if end.isProcessSound, process.settle() {
                keep(process)
            } else {
                process.end(graceMilliseconds: 0)
            }
            if end.isEarlierJobsFault, !isNew, Self.stopped(jobs) == nil { continue }
            return end.results
        }
    }

    /// What becomes of jobs that were all told to stop before they began; nil: one is wanted.
    private static func stopped(_ jobs: [Job]) -> [Result<Payload, HandlerError>]? {
        let reasons = jobs.compactMap(\.cancellation.reason)
        return reasons.count == jobs.count ? reasons.map { .failure(HandlerError($0)) } : nil
    }

    /// - Returns: nil: woken first.
    private func nextProcess(_ wake: Wakeup) throws(HandlerError) -> (HandlerProcess, isNew: Bool)? {
        // The one that was used last: its memory is the warmest.
        while var process = state.withLock({ $0.idle.popLast() }) {
            if process.isReadyForJob() { return (process, false) }
            process.end(graceMilliseconds: 0)
        }
        let delay = state.withLock { $0.backoff.remainingMilliseconds }
        if delay > 0 {
            throw HandlerError(
                .start, "the handler failed to start; the next try is in \(delay) ms", retryAfterMilliseconds: delay)
        }
        do {
            return (try start(wake: wake), true)
        } catch {
            if error.errorClass == FailureClass.cancelled.rawValue { return nil }
            throw error
        }
    }

    private func start(wake: Wakeup?) throws(HandlerError) -> HandlerProcess {
        let mustSweep = state.withLock { state in
            defer { state.isSwept = true }
            return !state.isSwept
        }
        if mustSweep { sweepScratch(settings) }
        do {
            let process = try HandlerProcess.start(settings, wake: wake)
            state.withLock { state in
                state.starts += 1
                state.isolation = process.isolation
                state.backoff.succeeded()
            }
            return process
        } catch {
            if error.errorClass != FailureClass.cancelled.rawValue { state.withLock { $0.backoff.failed() } }
            throw error
        }
    }

    private func keep(_ process: HandlerProcess) {
        let isKept = state.withLock { state in
            guard !state.isClosed, state.idle.count < settings.processes else { return false }
            state.idle.append(process)
            return true
        }
        guard !isKept else { return }
        var process = process
        process.end(graceMilliseconds: 0)
    }
}

/// Keeps a handler that cannot start from being started again and again.
struct StartBackoff: Sendable {
    private static let first = 500
    private static let longest = 30_000

    private var failures = 0
    private var next = Deadline.now()

    var remainingMilliseconds: Int { next.remaining }

    mutating func succeeded() { self = StartBackoff() }

    mutating func failed() {
        next = .after(milliseconds: min(Self.longest, Self.first << min(failures, 10)))
        failures += 1
    }
}
