import StatexProtocol

/// Messages in and out.
extension ClientCore {
    /// A message came from the scheduler.
    package mutating func received(_ bytes: borrowing RawSpan, at now: Int64) {
        do throws(WireError) {
            let header = try Header(reading: bytes)
            switch (header.type, link) {
            case (.welcome, _): welcomed(try Welcome(reading: bytes, header: header), at: now)
            case (.fault, _): faulted(try Fault(reading: bytes, header: header), at: now)
            case (_, .up(let stamp, _, _)) where stamp == header.stamp:
                lastHeard = now
                try receivedInSession(bytes, header, at: now)
            default: dropped += 1
            }
        } catch {
            dropped += 1
        }
    }

    private mutating func receivedInSession(_ bytes: borrowing RawSpan, _ header: Header, at now: Int64)
        throws(WireError)
    {
        switch header.type {
        case .heartbeat: break
        case .goodbye: lose("the scheduler said goodbye", at: now, wait: reconnect.next())
        case .accepted:
            var cursor = try header.recordCursor(atLeast: AcceptedRun.size)
            for _ in 0..<header.count { accepted(try AcceptedRun(reading: &cursor, header: header, in: bytes)) }
        case .refused:
            var cursor = try header.recordCursor(atLeast: RefusedRun.size)
            for _ in 0..<header.count { refused(try RefusedRun(reading: &cursor, header: header, in: bytes), at: now) }
        case .results:
            var cursor = try header.recordCursor(atLeast: ResultRecord.size)
            for _ in 0..<header.count {
                found(try ResultRecord(reading: &cursor, header: header, in: bytes), bytes, at: now)
            }
            for counter in counters.keys { finishCounting(counter) }
        case .progress:
            var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
            for _ in 0..<header.count {
                progressed(try ProgressRecord(reading: &cursor, header: header, in: bytes), bytes)
            }
        case .cancelled:
            var cursor = try header.recordCursor(atLeast: CancelRecord.size)
            for _ in 0..<header.count {
                let record = try CancelRecord(reading: &cursor, header: header, in: bytes)
                orders.cancelled(record, into: &completions)
            }
        case .statusReply:
            let json = try StatusReply.read(bytes, header: header)
            orders.statusCame(json, into: &completions)
        case .orderReply: orders.replied(try OrderReply(reading: bytes, header: header), into: &completions)
        case .explanations:
            var cursor = try header.recordCursor(atLeast: Explanation.size)
            for _ in 0..<header.count {
                let explanation = try Explanation(reading: &cursor, header: header, in: bytes)
                orders.explained(explanation, into: &completions)
            }
        case .hello, .welcome, .fault, .submit, .await, .cancel, .status, .order, .explain, .credit, .leases,
            .outcomes, .durable, .stale, .claim, .revoke, .offerAgain, .kept, .drain, .follow, .report, .checkpoint,
            .checkpointed, .events, .workerEvents:
            // Not a scheduler's to say to a client.
            dropped += 1
        }
    }

    private mutating func accepted(_ run: AcceptedRun) {
        busy.reset()
        probe = .none
        var counted: [(Ticket, AcceptedRun)] = []
        var done: [Submission] = []
        window.answer(run.sequences) { submission, part in
            var piece = run
            piece.sequence = part.lowerBound
            piece.firstID = JobID(
                rawValue: run.firstID.rawValue + (part.lowerBound - run.sequence) * UInt64(run.jobsEach))
            piece.requests = UInt32(part.count)
            submission.accepted.append(piece)
            if let counter = submission.counter { counted.append((counter, piece)) }
        } done: {
            done.append($0)
        }
        for (counter, piece) in counted { counters[counter]?.counter.add(piece) }
        finish(done)
    }

    private mutating func refused(_ run: RefusedRun, at now: Int64) {
        guard run.retryAfterMilliseconds == 0 else {
            window.postpone(run.sequences, why: run.message)
            // Of a whole window that is refused the first answer counts: the scheduler says so once, in many parts.
            guard probe != .due || now >= pausedUntil else { return }
            probe = .due
            pausedUntil = max(pausedUntil, now + busy.next(asked: Int64(run.retryAfterMilliseconds)))
            return
        }
        probe = .none
        var done: [Submission] = []
        window.answer(run.sequences) { submission, part in
            var piece = run
            piece.sequence = part.lowerBound
            piece.requests = UInt32(part.count)
            submission.refused.append(piece)
        } done: {
            done.append($0)
        }
        finish(done)
    }

    private mutating func finish(_ done: [Submission]) {
        for submission in done {
            let receipt = Receipt(
                firstSequence: submission.firstSequence, accepted: submission.accepted, refused: submission.refused)
            complete(submission.ticket, .submitted(receipt))
        }
    }

    private mutating func progressed(_ record: ProgressRecord, _ bytes: borrowing RawSpan) {
        let tickets = questions.followers(of: record)
        guard !tickets.isEmpty else { return }
        let text = try? bytes.text(record.textStart..<record.pieceStart, "progress text")
        let piece = bytes.array(record.pieceStart..<record.pieceStart + Int(record.pieceLength))
        news.append(News(tickets: tickets, record: record, text: text ?? "", piece: piece))
    }

    private mutating func found(_ record: ResultRecord, _ bytes: borrowing RawSpan, at now: Int64) {
        var isAwaited = false
        if !questions.isEmpty {
            let request = postponed.request(of: record.id)
            isAwaited = questions.found(record, of: request, in: bytes, into: &completions)
        }
        guard let state = record.state, !state.isFinal else {
            forEachCounter { $0.count(record.id, record.state) }
            return postponed.remove(record.id)
        }
        if isAwaited || isCounted(record.id) { postponed.add(record, at: now) }
    }

    /// Whether the job was asked for by id because a bulk submit counts it.
    private mutating func isCounted(_ id: JobID) -> Bool {
        var isCounted = false
        forEachCounter { if $0.awaits(id) { isCounted = true } }
        return isCounted
    }

    mutating func finishCounting(_ counter: Ticket) {
        guard let counting = counters[counter], let asker = counting.asker, counting.counter.open == 0 else { return }
        counters[counter] = nil
        complete(asker, .finals(counting.counter.counts))
    }

    // MARK: Out

    /// Hands each message that may go now to `send`, until there is none or `send` returns false: then the
    /// socket is full, and the message is offered again at the next call.
    /// - Returns: whether the socket took all that may go now.
    package mutating func send(at now: Int64, _ send: (borrowing RawSpan) -> Bool) -> Bool {
        gather(at: now)
        while let message = control.first {
            guard send(message.span.bytes) else { return false }
            lastSent = now
            control.removeFirst()
        }
        guard case .up(let stamp, _, _) = link, now >= pausedUntil else { return true }
        switch probe {
        case .none:
            while window.sendNext(stamp: stamp, send) { lastSent = now }
            return !window.hasUnsent
        case .due:
            if window.sendNext(stamp: stamp, send) {
                lastSent = now
                probe = .underWay
                return true
            }
            return !window.hasUnsent
        case .underWay: return true
        }
    }

    /// Jobs of bulk submits that wait for an answer by id: 16 messages, a quarter of what a session may ask.
    static var countedAtOnce: Int { Limits.awaits / 4 }

    /// Makes messages of what was asked since the last time, and of what is to be asked again.
    private mutating func gather(at now: Int64) {
        guard case .up(let stamp, _, _) = link else { return }
        var awaits = questions.takeToSend()
        var room = Self.countedAtOnce
        forEachCounter { room -= $0.asked }
        forEachCounter { counter in
            counter.nextToAsk(&room) { awaits.append(AwaitRecord($0, isRequest: false, waits: true)) }
        }
        for (id, request) in postponed.takeDue(at: now) {
            if let record = questions.wait(for: id, of: request) {
                awaits.append(record)
            } else if isCounted(id) {
                awaits.append(AwaitRecord(id, isRequest: false, waits: true))
            } else {
                postponed.remove(id)
            }
        }
        append(.await, AwaitRecord.size, awaits, stamp) { $0.write(to: &$1) }
        let orders = orders.takeToSend()
        append(.cancel, CancelRecord.size, orders.cancels, stamp) { $0.write(to: &$1) }
        if orders.status { sendBare(.status, stamp) }
        for order in orders.orders {
            var buffer = ByteBuffer(capacity: 256)
            order.write(to: &buffer, stamp: stamp)
            control.append(buffer.array())
        }
        append(.explain, Explain.recordSize, orders.explains, stamp) { Explain.write($0, to: &$1) }
    }

    private mutating func append<Record>(
        _ type: MessageType, _ size: Int, _ records: [Record], _ stamp: SessionStamp,
        _ write: (Record, inout ByteBuffer) -> Void
    ) {
        var rest = records[...]
        while !rest.isEmpty {
            let part = rest.prefix(Limits.recordsInMessage)
            rest = rest.dropFirst(part.count)
            var buffer = ByteBuffer(capacity: Header.size + part.count * size)
            Header(type, recordLength: size, stamp: stamp, count: part.count).write(to: &buffer)
            for record in part { write(record, &buffer) }
            control.append(buffer.array())
        }
    }
}
