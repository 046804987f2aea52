import StatexProtocol

@testable import StatexWorkerCore

/// A worker core with a scripted scheduler and a virtual clock. Every step checks the core's invariants.
final class TestWorker {
    struct Outcome: Equatable {
        var token: UInt64
        var ending: Ending
        var incarnation: UInt64 = TestWorker.incarnation
    }

    static let incarnation: UInt64 = 77

    private(set) var core: WorkerCore
    var out = Outbox()
    var now: Int64 = 1_000 * second
    /// Off where so many leases are held that checking all of them at each step takes seconds.
    var validates = true
    /// What the core accepted, by token.
    private(set) var handles: [UInt64: LeaseHandle] = [:]

    init(slots: Int = 4, kinds: Int = 2, _ change: (inout WorkerSettings) -> Void = { _ in }) {
        var settings = WorkerSettings(slots: slots, kinds: kinds)
        change(&settings)
        core = WorkerCore(settings, seed: 1)
    }

    func tick(after time: Int64 = 0) {
        now += time
        core.tick(at: now, into: &out)
        if validates { core.validate() }
    }

    // The shell's part.

    /// Opens a socket when the core wants one; returns whether it did.
    @discardableResult
    func openSocket() -> Bool {
        let opens = out.opensSocket
        out.socketClosed()
        out.socketOpened()
        out.hello = false
        return opens
    }

    /// Runs the clock to the core's next deadline until it wants a socket.
    func openSocketInTime() {
        for _ in 0..<100 where !out.opensSocket { tick(after: max(core.nextDeadline - now, 0)) }
        openSocket()
    }

    func welcome(session: UInt64 = 1, incarnation: UInt64 = TestWorker.incarnation, epoch: UInt32 = 1) {
        let stamp = SessionStamp(session: session, incarnation: incarnation, epoch: epoch)
        core.welcomed(
            Welcome(stamp: stamp, heartbeatMilliseconds: 1_000, leaseMilliseconds: 10_000, lastSequence: 0), at: now,
            into: &out)
        tick()
    }

    func connect(session: UInt64 = 1, incarnation: UInt64 = TestWorker.incarnation, epoch: UInt32 = 1) {
        openSocketInTime()
        welcome(session: session, incarnation: incarnation, epoch: epoch)
    }

    func disconnect() {
        core.disconnected("test", at: now, into: &out)
        tick()
    }

    func refuse() {
        core.refused(at: now, into: &out)
        tick()
    }

    func header(
        _ type: MessageType, session: UInt64 = 1, incarnation: UInt64 = TestWorker.incarnation, epoch: UInt32 = 1
    )
        -> Header
    {
        Header(type, session: session, incarnation: incarnation, epoch: epoch)
    }

    func accepts(_ header: Header) -> Bool { core.accepts(header, at: now) }

    // The scheduler's part.

    static func id(_ token: UInt64) -> JobID { JobID(rawValue: 1_000_000 + token) }

    @discardableResult
    func lease(_ token: UInt64, kind: UInt16 = 0, limit: UInt32 = 0, payload: UInt32 = 0) -> Bool {
        let record = LeaseRecord(
            id: Self.id(token), token: token, runLimitMilliseconds: limit, payloadLength: payload, attempt: 1,
            kind: kind, encoding: 0)
        let handle = core.leased(record, at: now, into: &out)
        if let handle { handles[token] = handle }
        tick()
        return handle != nil
    }

    func follow(_ token: UInt64) {
        core.followed(TokenRecord(Self.id(token), token: token), incarnation: Self.incarnation)
        tick()
    }

    func checkpointed(_ token: UInt64) {
        core.checkpointed(TokenRecord(Self.id(token), token: token), incarnation: Self.incarnation)
        tick()
    }

    func revoke(_ token: UInt64, _ reason: TokenRecord.Reason, incarnation: UInt64 = TestWorker.incarnation) {
        core.revoked(TokenRecord(Self.id(token), token: token, reason: reason), incarnation: incarnation, into: &out)
        tick()
    }

    func durable(_ token: UInt64, incarnation: UInt64 = TestWorker.incarnation) {
        core.becameDurable(TokenRecord(Self.id(token), token: token), incarnation: incarnation, at: now)
        tick()
    }

    func stale(_ token: UInt64, incarnation: UInt64 = TestWorker.incarnation) {
        core.becameStale(TokenRecord(Self.id(token), token: token), incarnation: incarnation)
        tick()
    }

    func fault(_ code: WireError.Code, retryAfterMilliseconds: UInt32 = 0) {
        core.faulted(
            Fault(WireError(code, "test"), retryAfterMilliseconds: retryAfterMilliseconds), at: now, into: &out)
        tick()
    }

    func offersWanted() { core.offersWanted(into: &out) }

    // The slots' part.

    func start(_ token: UInt64) {
        if let handle = handles[token] { core.started(handle, at: now) }
        tick()
    }

    func withdraw(_ token: UInt64) {
        if let handle = handles[token] { core.withdrawn(handle, at: now, into: &out) }
        tick()
    }

    /// Its handler says something.
    func say(_ token: UInt64, _ change: (inout AttemptReport) -> Void) {
        guard let handle = handles[token] else { return }
        var report = AttemptReport(handle)
        change(&report)
        core.reported(report, at: now, into: &out)
        tick()
    }

    func end(
        _ token: UInt64, _ ending: Ending = .succeeded, ran: Int64 = millisecond, retryAfterMilliseconds: UInt32 = 0,
        body: [UInt8] = []
    ) {
        guard let handle = handles[token] else { return }
        let attempt = EndedAttempt(
            handle, startedAt: now - ran, endedAt: now, ending: ending, retryable: ending == .failed,
            retryAfterMilliseconds: retryAfterMilliseconds, body: body)
        core.ended(attempt, at: now, into: &out)
        tick()
    }

    func drain() {
        core.drainOrdered(at: now, into: &out)
        tick()
    }

    /// DRAIN came.
    func drainWanted() {
        core.drainWanted(into: &out)
        tick()
    }

    // What left.

    /// The records of every OUTCOMES message that is due, each message under its own header.
    func sendOutcomes() throws -> [(Header, [OutcomeRecord], bodies: [[UInt8]])] {
        var messages: [(Header, [OutcomeRecord], bodies: [[UInt8]])] = []
        var buffer = ByteBuffer()
        while core.packOutcomes(from: &out, to: &buffer, at: now) {
            let header = try Header(reading: buffer.bytes)
            var cursor = try header.recordCursor(atLeast: OutcomeRecord.size)
            var records: [OutcomeRecord] = []
            var bodies: [[UInt8]] = []
            for _ in 0..<header.count {
                let record = try OutcomeRecord(reading: &cursor, header: header, in: buffer.bytes)
                bodies.append(buffer.bytes.array(record.bodyStart..<record.bodyStart + Int(record.bodyLength)))
                records.append(record)
            }
            messages.append((header, records, bodies))
        }
        core.validate()
        return messages
    }

    /// What is reported of running attempts now, as lines: token, offset, fraction, words and piece.
    func reports() throws -> [String] {
        var lines: [String] = []
        var buffer = ByteBuffer()
        while core.packReports(from: &out, to: &buffer) {
            let header = try Header(reading: buffer.bytes)
            var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
            for _ in 0..<header.count {
                let record = try ProgressRecord(reading: &cursor, header: header, in: buffer.bytes)
                let words = buffer.bytes.array(
                    record.textStart..<record.pieceStart + Int(record.pieceLength))
                let fraction = record.fraction.map { "\($0)" } ?? "-"
                lines.append("\(record.token) @\(record.offset) \(fraction) \(String(decoding: words, as: UTF8.self))")
            }
        }
        core.validate()
        return lines
    }

    /// The checkpoints that are handed over now.
    func checkpoints() throws -> [[UInt8]] {
        var checkpoints: [[UInt8]] = []
        var buffer = ByteBuffer()
        while core.packCheckpoints(from: &out, to: &buffer) {
            let header = try Header(reading: buffer.bytes)
            var cursor = try header.recordCursor(atLeast: CheckpointRecord.size)
            for _ in 0..<header.count {
                let record = try CheckpointRecord(reading: &cursor, header: header, in: buffer.bytes)
                checkpoints.append(buffer.bytes.array(record.start..<record.start + Int(record.length)))
            }
        }
        core.validate()
        return checkpoints
    }

    func outcomes() throws -> [Outcome] {
        try sendOutcomes().flatMap { message in
            message.1.map { Outcome(token: $0.token, ending: $0.ending, incarnation: message.0.incarnation) }
        }
    }

    func claims() throws -> [(incarnation: UInt64, record: TokenRecord)] {
        var claims: [(UInt64, TokenRecord)] = []
        var buffer = ByteBuffer()
        while core.packClaims(from: &out, to: &buffer) {
            let header = try Header(reading: buffer.bytes)
            var cursor = try header.recordCursor(atLeast: TokenRecord.size)
            for _ in 0..<header.count {
                claims.append((header.incarnation, try TokenRecord(reading: &cursor, header: header, in: buffer.bytes)))
            }
        }
        return claims
    }

    func packCredit(to buffer: inout ByteBuffer) { core.packCredit(from: &out, to: &buffer) }

    static func error(_ body: [UInt8]) throws -> ErrorText {
        let bytes = body.span.bytes
        return try ErrorText(reading: bytes)
    }

    /// The stops since the last call, by token.
    func stops() -> [UInt64: StopReason] {
        let tokens = Dictionary(uniqueKeysWithValues: handles.map { ($0.value, $0.key) })
        var stops: [UInt64: StopReason] = [:]
        for (handle, reason) in zip(out.stops, out.stopReasons) { stops[tokens[handle] ?? 0] = reason }
        out.jobsStopped()
        return stops
    }

    func withdrawals() -> Set<UInt64> {
        let tokens = Dictionary(uniqueKeysWithValues: handles.map { ($0.value, $0.key) })
        defer { out.jobsStopped() }
        return Set(out.withdrawals.compactMap { tokens[$0] })
    }

    var credit: Int { core.credit }
    var kept: Int { core.keptOutcomes }
    var heartbeat: Heartbeat { core.heartbeat }
    var counters: WorkerCounters { core.counters }
    var isConnected: Bool { core.isConnected }
    var nextDeadline: Int64 { core.nextDeadline }
}
