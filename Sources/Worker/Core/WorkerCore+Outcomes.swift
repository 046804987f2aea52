import StatexProtocol

extension WorkerCore {
    /// A message of about a thousand records; more in one gains nothing.
    private static let recordsInMessage = 1_024
    /// Where a message of large bodies ends, so that a link is never held by one for long.
    private static let messageBytes = 1 << 20

    /// Keeps an outcome until it is durable, and offers it.
    mutating func keep(
        _ row: Int, _ ending: Ending, retryable: Bool = false, body: [UInt8] = [], at endedAt: Int64,
        into out: inout Outbox
    ) {
        table.rows[row].state = .ended
        table.rows[row].ending = ending
        table.rows[row].retryable = retryable
        table.rows[row].endedAt = endedAt
        count(ending, ofKind: table.rows[row].kind, after: table.rows[row].ranNanoseconds)
        if !body.isEmpty {
            table.bodies[row] = body
            keptBytes += body.count
        }
        kept += 1
        // Without a session it waits for the next one, which offers everything.
        if link.isOpen { out.offers.append(table.handle(row)) }
    }

    /// DURABLE: the outcome is recorded, the worker may forget it.
    package mutating func becameDurable(_ record: TokenRecord, incarnation: UInt64, at now: Int64) {
        guard let row = table.find(record, incarnation: incarnation), table.rows[row].state == .ended else {
            counters.unknownTokens += 1
            return
        }
        let sentAt = table.rows[row].sentAt
        if sentAt > 0, now != loopedAt {
            policy.looped(nanoseconds: now - sentAt)
            loopedAt = now
        }
        counters.durableOutcomes += 1
        forgetOutcome(row)
    }

    /// STALE: the outcome was refused, the worker must forget it.
    package mutating func becameStale(_ record: TokenRecord, incarnation: UInt64) {
        guard let row = table.find(record, incarnation: incarnation), table.rows[row].state == .ended else {
            counters.unknownTokens += 1
            return
        }
        counters.staleOutcomes += 1
        forgetOutcome(row)
    }

    private mutating func forgetOutcome(_ row: Int) {
        kept -= 1
        keptBytes -= table.bodies[row].count
        table.remove(row)
    }

    /// Writes the next OUTCOMES message into `buffer` (emptied first).
    /// - Returns: false if there is nothing to offer.
    package mutating func packOutcomes(
        from out: inout Outbox, to buffer: inout ByteBuffer, at now: Int64
    ) -> Bool {
        var taken = 0
        var records = 0
        var incarnation: UInt64 = 0
        let credit = credit
        for handle in out.offers {
            // Durable or refused since it was listed: nothing to say.
            guard let row = table.find(handle), table.rows[row].state == .ended else {
                taken += 1
                continue
            }
            if records == 0 {
                incarnation = table.rows[row].incarnation
                buffer.removeAll()
                var stamp = link.stamp
                stamp.incarnation = incarnation
                OutcomeRecord.begin(credit: credit, stamp: stamp, to: &buffer)
            } else if incarnation != table.rows[row].incarnation || records == Self.recordsInMessage
                || buffer.count + table.bodies[row].count > Self.messageBytes
            {
                break
            }
            writeOutcome(row, to: &buffer, at: now)
            records += 1
            taken += 1
        }
        if taken == out.offers.count {
            out.offers.removeAll(keepingCapacity: true)
        } else {
            out.offers.removeFirst(taken)
        }
        guard records > 0 else { return false }
        Header.setCount(records, in: &buffer)
        reportedCredit = credit
        if !isResuming { out.credit = false }
        return true
    }

    private mutating func writeOutcome(_ row: Int, to buffer: inout ByteBuffer, at now: Int64) {
        let lease = table.rows[row]
        var record = OutcomeRecord(id: JobID(rawValue: lease.id), token: lease.counter, ending: lease.ending)
        record.ranMicroseconds = UInt64(max(lease.ranNanoseconds, 0) / microsecond)
        record.agoMicroseconds = UInt32(clamping: max(now - lease.endedAt, 0) / microsecond)
        record.retryAfterMilliseconds = lease.retryAfterMilliseconds
        record.bodyLength = UInt32(table.bodies[row].count)
        record.retryable = lease.retryable
        record.encoding = lease.encoding
        record.write(to: &buffer)
        if record.bodyLength > 0 { buffer.append(table.bodies[row]) }
        if lease.sentAt == 0 { table.rows[row].sentAt = now }
    }

    /// Writes the next CLAIM message into `buffer` (emptied first).
    /// - Returns: false if there is nothing to claim.
    package mutating func packClaims(from out: inout Outbox, to buffer: inout ByteBuffer) -> Bool {
        packTokens(.claim, from: &out.claims, to: &buffer)
    }

    /// Writes the next KEPT message into `buffer` (emptied first).
    /// - Returns: false if there is nothing to say.
    package mutating func packKept(from out: inout Outbox, to buffer: inout ByteBuffer) -> Bool {
        packTokens(.kept, from: &out.kept, to: &buffer)
    }

    private func packTokens(
        _ type: MessageType, from claims: inout [Outbox.Claim], to buffer: inout ByteBuffer
    ) -> Bool {
        guard let incarnation = claims.first?.incarnation else { return false }
        let taken = claims.prefix(Self.recordsInMessage).prefix { $0.incarnation == incarnation }
        var stamp = link.stamp
        stamp.incarnation = incarnation
        buffer.removeAll()
        Header(type, recordLength: TokenRecord.size, stamp: stamp, count: taken.count).write(to: &buffer)
        for claim in taken { claim.record.write(to: &buffer) }
        claims.removeFirst(taken.count)
        return true
    }

    /// Writes CREDIT into `buffer` (emptied first).
    package mutating func packCredit(from out: inout Outbox, to buffer: inout ByteBuffer) {
        reportedCredit = credit
        out.credit = false
        isResuming = false
        buffer.removeAll()
        Credit.write(reportedCredit, stamp: link.stamp, to: &buffer)
    }
}
