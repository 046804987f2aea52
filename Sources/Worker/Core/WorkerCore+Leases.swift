import StatexProtocol

extension WorkerCore {
    /// Rows past which even a returned job would cost memory that nobody bounded.
    private static let rowsLimit = 2 * Limits.credit

    /// A lease arrived under `stamp.incarnation`.
    /// - Returns: what the shell must queue for a slot; nil: the lease needs none.
    package mutating func leased(_ lease: LeaseRecord, at now: Int64, into out: inout Outbox) -> LeaseHandle? {
        guard table.used < Self.rowsLimit else {
            counters.refusedLeases += 1
            disconnected("more leases than a worker may hold", at: now, into: &out)
            return nil
        }
        guard let row = table.insert(lease, incarnation: link.stamp.incarnation) else {
            counters.repeatedLeases += 1
            return nil
        }
        guard Int(lease.kind) < settings.kinds else {
            let error = ErrorText("unknown_kind", "the worker that got this job has no kind \(lease.kind)")
            keep(row, .failed, retryable: true, body: Self.bytes(error), at: now, into: &out)
            return nil
        }
        let isFull = waiting + running >= Limits.credit || waitingBytes > 2 * settings.waitingBytes
        guard phase == .working, !isFull else {
            if isFull { counters.refusedLeases += 1 }
            keep(row, .returned, at: now, into: &out)
            return nil
        }
        waiting += 1
        waitingBytes += Int(lease.contentLength)
        policy.leased(kind: lease.kind, contentLength: lease.contentLength)
        return table.handle(row)
    }

    /// A slot took the job from the queue. Told before the end if it matters (a run limit, a claim); told
    /// twice, it counts once.
    package mutating func started(_ handle: LeaseHandle, at time: Int64) {
        guard let row = table.find(handle), table.rows[row].state == .waiting else { return }
        leaveQueue(row)
        running += 1
        table.rows[row].state = .running
        table.rows[row].startedAt = time
        if table.rows[row].stop == .revoked { stuck += 1 }
        let limit = table.rows[row].runLimitMilliseconds
        if limit > 0 {
            let deadline = time + Int64(limit) * millisecond
            limits.append((deadline, handle))
            nextLimit = min(nextLimit, deadline)
        }
    }

    /// The shell took the job back from the queue before a slot did.
    package mutating func withdrawn(_ handle: LeaseHandle, at now: Int64, into out: inout Outbox) {
        guard let row = table.find(handle), table.rows[row].state == .waiting else { return }
        leaveQueue(row)
        policy.released(kind: table.rows[row].kind)
        switch table.rows[row].stop {
        case .revoked: table.remove(row)
        case .cancelled: keep(row, .cancelled, at: now, into: &out)
        case .none, .drained, .timeout: keep(row, .returned, at: now, into: &out)
        }
    }

    /// The handler is back.
    package mutating func ended(_ attempt: borrowing EndedAttempt, at now: Int64, into out: inout Outbox) {
        guard let row = table.find(attempt.handle) else { return }
        switch table.rows[row].state {
        case .waiting:
            leaveQueue(row)
        case .running:
            running -= 1
            if table.rows[row].stop == .revoked { stuck -= 1 }
            if table.rows[row].runLimitMilliseconds > 0 { limits.removeAll { $0.handle == attempt.handle } }
        case .ended, .free:
            return
        }
        let ran = max(attempt.endedAt - attempt.startedAt, 1)
        table.rows[row].ranNanoseconds = ran
        policy.ran(kind: table.rows[row].kind, nanoseconds: ran)
        policy.released(kind: table.rows[row].kind)
        if !table.reports.isEmpty { lastReports(row, into: &out) }
        conclude(row, attempt, at: now, into: &out)
    }

    /// What the attempt's end means, after what was asked of it.
    private mutating func conclude(
        _ row: Int, _ attempt: borrowing EndedAttempt, at now: Int64, into out: inout Outbox
    ) {
        let hasResult = attempt.ending == .succeeded
        switch table.rows[row].stop {
        case .revoked: table.remove(row)
        case .cancelled: keep(row, .cancelled, at: attempt.endedAt, into: &out)
        // Work that was finished although it had to stop is not thrown away.
        case .drained where !hasResult: keep(row, .returned, at: attempt.endedAt, into: &out)
        case .timeout where !hasResult:
            let limit = table.rows[row].runLimitMilliseconds
            let error = ErrorText("timeout", "the attempt ran past its limit of \(limit) ms")
            keep(row, .failed, retryable: true, body: Self.bytes(error), at: attempt.endedAt, into: &out)
        case .none, .drained, .timeout:
            table.rows[row].retryAfterMilliseconds = attempt.retryAfterMilliseconds
            table.rows[row].encoding = attempt.encoding
            keep(
                row, attempt.ending, retryable: attempt.retryable, body: attempt.body, at: attempt.endedAt,
                into: &out)
        }
    }

    /// REVOKE: the scheduler wants the lease stopped. Once it has ended its outcome is on the way, and
    /// DURABLE or STALE will answer that.
    package mutating func revoked(_ record: TokenRecord, incarnation: UInt64, into out: inout Outbox) {
        guard let row = table.find(record, incarnation: incarnation) else {
            counters.unknownTokens += 1
            return
        }
        let state = table.rows[row].state
        guard state == .waiting || state == .running else { return }
        switch record.reason {
        case .cancelled: stop(row, .cancelled, into: &out)
        case .stealing:
            table.rows[row].isAskedBack = true
            out.withdrawals.append(table.handle(row))
        case .notHeld, .final, .none:
            // Not this worker's any more: nothing about it is to be said.
            if state == .running { stuck += 1 }
            table.disown(row)
            stop(row, .revoked, into: &out)
        }
    }

    /// The shell has done what `withdrawals` and `stops` ask. What was to be given back to an idle worker
    /// and was not in the queue any more has started: it is kept, and the scheduler hears so.
    package mutating func jobsStopped(into out: inout Outbox) {
        for handle in out.withdrawals {
            guard let row = table.find(handle), table.rows[row].isAskedBack else { continue }
            table.rows[row].isAskedBack = false
            guard table.rows[row].state != .ended, link.isOpen else { continue }
            out.kept.append(claim(table.rows[row]))
        }
        out.jobsStopped()
    }

    func claim(_ row: LeaseRow) -> Outbox.Claim {
        let record = TokenRecord(JobID(rawValue: row.id), token: row.counter, running: row.state == .running)
        return Outbox.Claim(incarnation: row.incarnation, record: record)
    }

    mutating func stop(_ row: Int, _ reason: StopReason, into out: inout Outbox) {
        let state = table.rows[row].state
        guard state == .waiting || state == .running, table.rows[row].stop < reason else { return }
        table.rows[row].stop = reason
        out.stop(table.handle(row), reason)
    }

    private mutating func leaveQueue(_ row: Int) {
        waiting -= 1
        waitingBytes -= Int(table.rows[row].contentLength)
    }

    /// A handler that does not react keeps its slot and its lease: an attempt is never reported as ended
    /// while it still runs, or its retry would run beside it.
    mutating func enforceRunLimits(at now: Int64, into out: inout Outbox) {
        guard now >= nextLimit else { return }
        nextLimit = .max
        var left = 0
        for entry in limits {
            if entry.deadline <= now {
                if let row = table.find(entry.handle) { stop(row, .timeout, into: &out) }
            } else {
                limits[left] = entry
                left += 1
                nextLimit = min(nextLimit, entry.deadline)
            }
        }
        limits.removeLast(limits.count - left)
    }

    static func bytes(_ error: ErrorText) -> [UInt8] {
        var buffer = ByteBuffer(capacity: error.length)
        error.write(to: &buffer)
        return buffer.array()
    }
}

/// How a handler came back, as the shell tells it.
package struct EndedAttempt: Sendable {
    package var handle: LeaseHandle
    package var startedAt: Int64
    package var endedAt: Int64
    /// succeeded or failed.
    package var ending: Ending
    package var retryable: Bool
    package var encoding: UInt8
    package var retryAfterMilliseconds: UInt32
    /// The result, or an error as `ErrorText` writes it; at most `Limits.inlineBytes`.
    package var body: [UInt8]

    package init(
        _ handle: LeaseHandle, startedAt: Int64, endedAt: Int64, ending: Ending, retryable: Bool = false,
        encoding: Encoding = .bytes, retryAfterMilliseconds: UInt32 = 0, body: [UInt8] = []
    ) {
        self.handle = handle
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.ending = ending
        self.retryable = retryable
        self.encoding = encoding.rawValue
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.body = body
    }
}
