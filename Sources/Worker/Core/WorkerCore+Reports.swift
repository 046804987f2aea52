import StatexProtocol

// What attempts say before they end: progress and output for those who follow the job, at a bounded rate, and
// checkpoints for the next attempt.

extension WorkerCore {
    /// From one REPORT of an attempt to the next: ten a second look like life to people.
    static let reportInterval = 100 * millisecond
    /// Output in one of them, so 80 KB a second: several times what a model puts out, and what nobody reads.
    private static let pieceBytes = 8 << 10
    /// From one CHECKPOINT of an attempt to the next: each is a row in a commit.
    private static let checkpointInterval = 5 * second

    private static let reportRecords = 1_024
    private static let reportBytes = 1 << 20

    /// A handler said something. What nobody follows is held, as far as there is room, for who will.
    package mutating func reported(_ report: consuming AttemptReport, at now: Int64, into out: inout Outbox) {
        guard let row = table.find(report.handle), table.rows[row].stop != .revoked else { return }
        switch table.rows[row].state {
        case .waiting, .running: break
        case .ended, .free: return
        }
        var reports = table.reports[row] ?? LeaseReports()
        if let fraction = report.fraction { reports.progressed(fraction, report.text) }
        reports.put(report.output, leftOut: report.leftOut)
        if let checkpoint = report.checkpoint { reports.checkpoint = checkpoint }
        table.reports[row] = reports
        listForReport(row)
    }

    /// FOLLOW, or a lease that says so: somebody wants to know. What is known already is told again.
    package mutating func followed(_ record: TokenRecord, incarnation: UInt64) {
        guard let row = table.find(record, incarnation: incarnation) else {
            counters.unknownTokens += 1
            return
        }
        table.rows[row].isFollowed = true
        if table.reports[row]?.progress != nil { table.reports[row]?.isProgressNew = true }
        listForReport(row)
    }

    /// CHECKPOINTED: the checkpoint that was sent last is durable.
    package mutating func checkpointed(_ record: TokenRecord, incarnation: UInt64) {
        guard let row = table.find(record, incarnation: incarnation) else {
            counters.unknownTokens += 1
            return
        }
        table.reports[row]?.sentCheckpoint = nil
        listForReport(row)
    }

    /// A new session: the scheduler says anew what is followed, and a checkpoint that it may not have is sent again.
    mutating func reportsBeginAgain() {
        for row in table.rows.indices where table.rows[row].state != .free {
            table.rows[row].isFollowed = false
            guard let reports = table.reports[row] else { continue }
            if let sent = reports.sentCheckpoint {
                table.reports[row]?.checkpoint = reports.checkpoint ?? sent
                table.reports[row]?.sentCheckpoint = nil
            }
            listForReport(row)
        }
    }

    /// When the row has something to say, if it has.
    private func reportDue(_ row: Int) -> Int64? {
        guard let reports = table.reports[row], link.isOpen else { return nil }
        var due: Int64?
        if table.rows[row].isFollowed, reports.hasNews {
            due = reports.sentAt == .min ? 0 : reports.sentAt + Self.reportInterval
        }
        if reports.checkpoint != nil, reports.sentCheckpoint == nil {
            let next = reports.checkpointSentAt == .min ? 0 : reports.checkpointSentAt + Self.checkpointInterval
            due = min(due ?? next, next)
        }
        return due
    }

    private mutating func listForReport(_ row: Int) {
        guard let due = reportDue(row), table.reports[row]?.isListed == false else { return }
        table.reports[row]?.isListed = true
        reporting.append(table.handle(row))
        nextReport = min(nextReport, due)
    }

    /// Offers what is due.
    mutating func offerReports(at now: Int64, into out: inout Outbox) {
        guard now >= nextReport, link.isOpen else { return }
        nextReport = .max
        let listed = reporting
        reporting.removeAll(keepingCapacity: true)
        for handle in listed {
            guard let row = table.find(handle), table.rows[row].state != .ended else { continue }
            table.reports[row]?.isListed = false
            offerReport(row, at: now, into: &out)
            listForReport(row)
        }
    }

    private mutating func offerReport(_ row: Int, at now: Int64, into out: inout Outbox) {
        guard let reports = table.reports[row] else { return }
        if table.rows[row].isFollowed, reports.hasNews,
            reports.sentAt == .min || reports.sentAt + Self.reportInterval <= now
        {
            table.reports[row]?.sentAt = now
            out.reports.append(table.handle(row))
        }
        if reports.checkpoint != nil, reports.sentCheckpoint == nil,
            reports.checkpointSentAt == .min || reports.checkpointSentAt + Self.checkpointInterval <= now
        {
            table.reports[row]?.checkpointSentAt = now
            out.checkpoints.append(table.handle(row))
        }
    }

    /// The attempt is over: what it still had to say goes before its outcome.
    mutating func lastReports(_ row: Int, into out: inout Outbox) {
        guard let reports = table.reports[row] else { return }
        guard link.isOpen, table.rows[row].stop != .revoked else { return }
        if table.rows[row].isFollowed, reports.hasNews { out.reports.append(table.handle(row)) }
        if reports.checkpoint != nil { out.checkpoints.append(table.handle(row)) }
    }

    /// Writes the next REPORT message into `buffer` (emptied first).
    /// - Returns: false if there is nothing to report.
    package mutating func packReports(from out: inout Outbox, to buffer: inout ByteBuffer) -> Bool {
        pack(.report, ProgressRecord.size, from: &out.reports, to: &buffer) { core, row, buffer in
            core.writeReport(row, to: &buffer)
        }
    }

    /// Writes the next CHECKPOINT message into `buffer` (emptied first).
    /// - Returns: false if there is none.
    package mutating func packCheckpoints(from out: inout Outbox, to buffer: inout ByteBuffer) -> Bool {
        pack(.checkpoint, CheckpointRecord.size, from: &out.checkpoints, to: &buffer) { core, row, buffer in
            core.writeCheckpoint(row, to: &buffer)
        }
    }

    private mutating func pack(
        _ type: MessageType, _ size: Int, from handles: inout [LeaseHandle], to buffer: inout ByteBuffer,
        _ write: (inout WorkerCore, Int, inout ByteBuffer) -> Int
    ) -> Bool {
        guard !handles.isEmpty else { return false }
        var (taken, records) = (0, 0)
        var incarnation: UInt64 = 0
        for handle in handles {
            // Revoked or refused since it was listed: nothing is to be said of it.
            guard let row = table.find(handle), table.reports[row] != nil else {
                taken += 1
                continue
            }
            if records == 0 {
                incarnation = table.rows[row].incarnation
                var stamp = link.stamp
                stamp.incarnation = incarnation
                buffer.removeAll()
                Header(type, recordLength: size, stamp: stamp).write(to: &buffer)
            } else if incarnation != table.rows[row].incarnation || records == Self.reportRecords
                || buffer.count >= Self.reportBytes
            {
                break
            }
            records += write(&self, row, &buffer)
            taken += 1
        }
        handles.removeFirst(taken)
        guard records > 0 else {
            buffer.removeAll()
            return false
        }
        Header.setCount(records, in: &buffer)
        return true
    }

    /// - Returns: how many records it wrote: of an attempt that is over, a second one may tell what was left out.
    private mutating func writeReport(_ row: Int, to buffer: inout ByteBuffer) -> Int {
        let isLast = table.rows[row].state == .ended
        var records = 0
        repeat {
            guard writeReportRecord(row, isLast: isLast, to: &buffer) else { break }
            records += 1
        } while isLast && table.reports[row]?.hasNews == true
        listForReport(row)
        return records
    }

    private mutating func writeReportRecord(_ row: Int, isLast: Bool, to buffer: inout ByteBuffer) -> Bool {
        guard
            let (offset, piece) = table.reports[row]?.take(atMost: isLast ? LeaseReports.outputBytes : Self.pieceBytes),
            let reports = table.reports[row]
        else { return false }
        var record = ProgressRecord(
            JobID(rawValue: table.rows[row].id), token: table.rows[row].counter, offset: offset)
        record.pieceLength = UInt32(piece.count)
        var text: [UInt8] = []
        if reports.isProgressNew, let progress = reports.progress {
            record.fraction = progress.fraction
            text = progress.text
            record.textLength = UInt16(text.count)
            table.reports[row]?.isProgressNew = false
        }
        record.write(to: &buffer)
        if !text.isEmpty { buffer.append(text) }
        if !piece.isEmpty { buffer.append(piece) }
        return true
    }

    private mutating func writeCheckpoint(_ row: Int, to buffer: inout ByteBuffer) -> Int {
        guard let data = table.reports[row]?.checkpoint else { return 0 }
        table.reports[row]?.checkpoint = nil
        table.reports[row]?.sentCheckpoint = data
        CheckpointRecord(JobID(rawValue: table.rows[row].id), token: table.rows[row].counter, length: data.count)
            .write(to: &buffer)
        if !data.isEmpty { buffer.append(data) }
        return 1
    }
}
