import StatexProtocol
import StatexSchedulerCore

// What the scheduler's core wants done: said to clients and the worker, looked up in the journal.

extension TwinLoop {
    /// - Parameter results: the batch just committed, whose bodies the finals name.
    mutating func perform(results: CommitBatch?, at now: Now) {
        lookUp()
        for effect in outbox.accepted {
            say(.accepted, AcceptedRun.size, to: effect.client) { effect.run.write(to: &$0) }
        }
        for effect in outbox.refused {
            say(.refused, RefusedRun.size, to: effect.client) { effect.run.write(to: &$0) }
        }
        for effect in outbox.cancelled {
            say(.cancelled, CancelRecord.size, to: effect.client) { effect.record.write(to: &$0) }
        }
        for effect in outbox.durable {
            worker.becameDurable(TokenRecord(JobID(rawValue: effect.id), token: effect.token), at: now.monotonic)
        }
        for effect in outbox.stale { worker.becameStale(effect.record, tokensOf: effect.tokensOf) }
        // Leases before revocations: a revocation may concern one that leaves now.
        for effect in outbox.leases {
            guard let content = scheduler.leaseContent(effect) else { continue }
            let id = content.record.id.rawValue
            worker.leased(
                content.record, payload: journal.payload(of: id), inputs: journal.inputs(of: id),
                checkpoint: journal.checkpoint(of: id), trace: journal.trace(of: id), at: now.monotonic)
        }
        for effect in outbox.revoked { worker.revoked(effect.record, tokensOf: effect.tokensOf) }
        for effect in outbox.follows { worker.followed(effect.record, tokensOf: effect.tokensOf) }
        for effect in outbox.checkpointed { worker.checkpointed(effect.record, tokensOf: effect.tokensOf) }
        for effect in outbox.progress {
            say(.progress, ProgressRecord.size, to: effect.client) {
                effect.record.write(to: &$0)
                $0.append(outbox.progressBytes.span.bytes.extracting(effect.bytes))
            }
        }
        for effect in outbox.finals {
            var body: [UInt8] = []
            if effect.result >= 0, let results {
                let row = results.results[Int(effect.result)]
                body = results.resultBytes.array(row.start..<row.start + row.length)
            }
            say(effect.record, kind: scheduler.kindName(effect.kind), body: body, to: effect.client)
        }
        if !outbox.offerAgain.isEmpty { worker.offersWanted() }
        outbox.removeAll()
    }

    /// What clients asked, and what memory does not know.
    private mutating func lookUp() {
        for lookup in outbox.outcomeLookups {
            let isRecorded = journal.ending(ofLease: lookup.token).map(lookup.isAnswered) ?? false
            scheduler.outcomeLookedUp(lookup, isRecorded: isRecorded, into: &outbox)
        }
        while scheduler.hasQuestions || !outbox.resultLookups.isEmpty {
            scheduler.answerQuestions(into: &outbox)
            let lookups = outbox.resultLookups
            outbox.resultLookups = []
            for lookup in lookups {
                let (record, kind, body) = journal.result(of: lookup.record.id)
                scheduler.lookedUp(lookup, record)
                say(record, kind: kind, body: body, to: lookup.client)
            }
        }
    }

    private func say(_ record: ResultRecord, kind: String, body: [UInt8], to client: UInt32) {
        var record = record
        record.kindLength = UInt8(truncatingIfNeeded: kind.utf8.count)
        say(.results, ResultRecord.size, to: client) {
            record.write(to: &$0)
            $0.append(kind)
            $0.append(body)
        }
    }

    private func say(_ type: MessageType, _ size: Int, to client: UInt32, _ write: (inout ByteBuffer) -> Void) {
        // Twins have one client, so its session is soon found.
        links.values.first { $0.session == client }?.append(type, recordLength: size, write)
    }
}
