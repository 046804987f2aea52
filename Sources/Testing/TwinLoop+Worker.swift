import StatexProtocol
import StatexSchedulerCore

// What the worker says: handed to the core, as the broker does it.

extension TwinLoop {
    /// The worker has one session for its life; clients' come after it.
    static let workerSession: UInt32 = 1

    func stamp(_ session: UInt32) -> SessionStamp {
        SessionStamp(session: UInt64(session), incarnation: scheduler.incarnation, epoch: scheduler.epoch)
    }

    /// - Returns: whether it had something to say.
    mutating func listenToWorker(at now: Now) -> Bool {
        var message = ByteBuffer()
        var wasTold = false
        while worker.nextMessage(into: &message, at: now.monotonic) {
            wasTold = true
            do throws(WireError) {
                try workerSaid(message.bytes, at: now)
            } catch {
                // Both ends are this process, and what handlers say was checked before: see `ResultRules`.
                preconditionFailure("the worker's core wrote a message that is none: \(error.message)")
            }
        }
        return wasTold
    }

    private mutating func workerSaid(_ bytes: borrowing RawSpan, at now: Now) throws(WireError) {
        let header = try Header(reading: bytes)
        let session = Self.workerSession
        switch header.type {
        case .hello:
            workerIndex = scheduler.workerJoined(worker.hello, session: session, at: now).index
            worker.welcomed(stamp(session), at: now.monotonic)
        case .heartbeat:
            scheduler.workerHeard(workerIndex, session: session, at: now)
            worker.heard(header, at: now.monotonic)
        case .credit:
            let credit = try Credit.read(bytes, header: header)
            scheduler.creditOffered(credit, worker: workerIndex, session: session, at: now)
        case .outcomes:
            var outcomes: [OutcomeRecord] = []
            var cursor = try header.recordCursor(atLeast: OutcomeRecord.size)
            for _ in 0..<header.count {
                outcomes.append(try OutcomeRecord(reading: &cursor, header: header, in: bytes))
            }
            let credit = try OutcomeRecord.readCredit(bytes, header: header)
            scheduler.creditUpdated(credit, worker: workerIndex, session: session)
            scheduler.outcomesReported(
                outcomes, bytes: bytes, tokensOf: header.incarnation, worker: workerIndex, session: session, at: now,
                into: &outbox)
        case .report:
            var reports: [ProgressRecord] = []
            var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
            for _ in 0..<header.count {
                reports.append(try ProgressRecord(reading: &cursor, header: header, in: bytes))
            }
            scheduler.progressReported(
                reports, bytes: bytes, tokensOf: header.incarnation, worker: workerIndex, session: session, at: now,
                into: &outbox)
        case .checkpoint:
            var records: [CheckpointRecord] = []
            var cursor = try header.recordCursor(atLeast: CheckpointRecord.size)
            for _ in 0..<header.count {
                records.append(try CheckpointRecord(reading: &cursor, header: header, in: bytes))
            }
            scheduler.checkpointsHandedOver(
                records, bytes: bytes, tokensOf: header.incarnation, worker: workerIndex, session: session, at: now)
        case .welcome, .fault, .goodbye, .submit, .accepted, .refused, .await, .results, .cancel, .cancelled,
            .status, .statusReply, .order, .orderReply, .explain, .explanations, .leases, .durable, .stale, .claim,
            .revoke, .offerAgain, .kept, .drain, .progress, .follow, .checkpointed, .events, .workerEvents:
            // Its link never breaks, so it has nothing to claim; and it is never drained.
            throw WireError(.type, "message type \(header.type.rawValue) is not said here")
        }
    }
}
