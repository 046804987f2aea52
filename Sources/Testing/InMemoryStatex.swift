// Statex without a server, for the tests of services: the real client speaks the real protocol to the real
// cores of scheduler and worker, inside one process. What is missing are the shells around them: no network,
// no Postgres, no other process. Imported by tests; never by anything that runs in production.

import FoundationEssentials
@_exported import StatexClient
import StatexThreads
import Synchronization

/// Statex in memory: runs your handlers on what you submit, as a scheduler and a worker would.
///
///     let statex = try InMemoryStatex(handlers: [MyHandler()], slots: 2)
///     let handle = try await statex.submit(Request(kind: "mine", payload: .text("Hello")))
///     let result = try await handle.result()
///     #expect(result.jobs[0].text == "Hello back")
///     await statex.close()
///
/// Keys, retries with backoff, dead letters, cancelling, priorities and limits are the scheduler's own. Only
/// durability is not: everything is gone with the process, and until then nothing is forgotten.
public final class InMemoryStatex: JobQueue {
    /// What time it is for the scheduler and the worker.
    public enum Clock: Sendable {
        /// The machine's time: a retry's backoff is waited for.
        case real
        /// Time stands still until the test moves it, see `advance(by:)`.
        case manual
    }

    private let handlers: [any Handler]
    private let clock: TwinClock
    private let letters: Mailbox<Letter>
    /// Connected once the handlers were asked what is available.
    private let client: Task<Result<Client, ClientError>, Never>
    private let isClosed = Atomic<Bool>(false)

    /// - Parameters:
    ///   - handlers: one for each kind. Jobs of other kinds stay queued, as without a worker for them.
    ///   - slots: how many jobs run at once.
    ///   - objectFolder: where payloads and results above `Limits.inlineBytes` go; nil: they are refused.
    public init(
        handlers: [any Handler], slots: Int = 1, clock: Clock = .real, objectFolder: String? = nil
    ) throws(ClientError) {
        try TwinOpening.check(handlers, slots: slots)
        let opening = try TwinOpening(objectFolder: objectFolder)
        let time = TwinClock(isManual: clock == .manual)
        self.handlers = handlers
        self.clock = time
        letters = opening.letters
        client = Task { await opening.start(handlers, slots: slots, clock: time) }
    }

    deinit {
        let (client, handlers, letters) = (client, handlers, letters)
        let wasClosed = isClosed.load(ordering: .acquiring)
        Task {
            if !wasClosed { await Self.close(client, handlers, letters) }
            letters.put(.end)
        }
    }

    // MARK: Time

    /// The time of its scheduler: what `startAt` and `deadline` are compared with.
    public var now: Date { Date(timeIntervalSince1970: Double(clock.now.wall) / 1_000_000) }

    /// Moves a manual clock on: everything that falls due on the way happens, each thing at its time.
    ///
    /// Before it, and after each thing that happened, it waits until no handler runs. So
    /// `advance(by: .seconds(60))` takes a failing job through all the retries that a minute has room for.
    /// - Parameter waitsForHandlers: false for a handler that waits for this clock itself, such as one that
    ///   runs on until its run-time limit.
    public func advance(by time: Duration, waitsForHandlers: Bool = true) async throws(ClientError) {
        guard clock.isManual else {
            throw .invalid("the clock is the real one, which nobody moves; make the twin with clock: .manual")
        }
        guard time >= .zero, time <= TwinClock.longestStep else {
            throw .invalid("advance(by:) got \(time), it takes 0 to \(TwinClock.longestStep)")
        }
        _ = try await connected()
        let (seconds, attoseconds) = time.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        let isMoved = await withCheckedContinuation { done in
            letters.put(.advance(by: nanoseconds, waitsForHandlers: waitsForHandlers, done))
        }
        if !isMoved { throw .closed }
    }

    // MARK: JobQueue

    public func submitEach(_ requests: [Request]) async -> [Result<RequestHandle, ClientError>] {
        do throws(ClientError) {
            return try await connected().submitEach(requests).map { answer in
                // The handle keeps this object: else it could be gone before the result is awaited.
                answer.map {
                    RequestHandle(
                        id: $0.id, jobCount: $0.jobCount, isRepeated: $0.isRepeated, isDuplicate: $0.isDuplicate,
                        queue: self)
                }
            }
        } catch {
            return requests.map { _ in .failure(error) }
        }
    }

    public func result(ofRequest id: JobID) async throws(ClientError) -> RequestStatus {
        try await connected().result(ofRequest: id)
    }

    public func updates(ofRequest id: JobID) -> RequestUpdates {
        RequestUpdates { [self] () async throws(ClientError) in
            try await connected().updates(ofRequest: id).open()
        }
    }

    public func result(ofJob id: JobID) async throws(ClientError) -> JobStatus {
        try await connected().result(ofJob: id)
    }

    public func status(ofRequest id: JobID) async throws(ClientError) -> RequestStatus {
        try await connected().status(ofRequest: id)
    }

    public func status(ofJob id: JobID) async throws(ClientError) -> JobStatus {
        try await connected().status(ofJob: id)
    }

    public func cancel(request id: JobID) async throws(ClientError) -> Int {
        try await connected().cancel(request: id)
    }

    public func cancel(job id: JobID) async throws(ClientError) -> Bool {
        try await connected().cancel(job: id)
    }

    public func bytes(of payload: Payload) async throws(ClientError) -> [UInt8] {
        try await connected().bytes(of: payload)
    }

    /// Those members of a scheduler's status that mean something in memory.
    public func explain(job id: JobID) async throws(ClientError) -> Explanation {
        try await connected().explain(job: id)
    }

    public func schedulerStatus() async throws(ClientError) -> String {
        try await connected().schedulerStatus()
    }

    /// Ends it, and tells handlers that still run to stop; it does not wait for them.
    public func close() async {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        await Self.close(client, handlers, letters)
    }

    private func connected() async throws(ClientError) -> Client { try await client.value.get() }

    private static func close(
        _ client: Task<Result<Client, ClientError>, Never>, _ handlers: [any Handler], _ letters: Mailbox<Letter>
    ) async {
        if case .success(let client) = await client.value { await client.close() }
        letters.put(.stop)
        for handler in handlers { await handler.close() }
    }
}
