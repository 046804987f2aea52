import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// What clients say: read, checked, handed to the core, as the broker does it.

extension TwinLoop {
    /// The client is never timed out, and need not call often: these are the longest times that it takes.
    private static let heartbeatMilliseconds: UInt32 = 60_000
    private static let leaseMilliseconds: UInt32 = 180_000
    mutating func received(_ bytes: borrowing RawSpan, from routing: RoutingID, at now: Now) {
        do throws(WireError) {
            let header = try Header(reading: bytes)
            if header.type == .hello {
                joined(try Hello(reading: bytes, header: header), routing)
            } else if let link = links[routing], link.stamp == header.stamp {
                try said(link, bytes, header, at: now)
            }
        } catch {
            guard let link = links[routing] else { return }
            link.append { Fault(error).write(to: &$0, stamp: link.stamp) }
        }
    }

    private mutating func joined(_ hello: Hello, _ routing: RoutingID) {
        lastSession += 1
        let link = ClientLink(routing: routing, session: lastSession, stamp: stamp(lastSession))
        links[routing] = link
        if !scheduler.knowsProducer(hello.producer) { scheduler.producerLoaded(hello.producer, runs: []) }
        let last = scheduler.clientJoined(link.session, producer: hello.producer, name: hello.name)
        link.append {
            Welcome(
                stamp: link.stamp, heartbeatMilliseconds: Self.heartbeatMilliseconds,
                leaseMilliseconds: Self.leaseMilliseconds, lastSequence: last
            ).write(to: &$0)
        }
    }

    mutating func left(_ link: ClientLink) {
        scheduler.clientLeft(link.session)
        links[link.routing] = nil
    }

    private mutating func said(_ link: ClientLink, _ bytes: borrowing RawSpan, _ header: Header, at now: Now)
        throws(WireError)
    {
        switch header.type {
        case .heartbeat: link.append { Heartbeat().write(to: &$0, stamp: link.stamp) }
        case .submit:
            try submit.read(bytes, header: header)
            scheduler.submitted(
                submit, bytes: bytes, client: link.session, keyed: keyedRequests(bytes), at: now, into: &outbox)
        case .await:
            var records: [AwaitRecord] = []
            var cursor = try header.recordCursor(atLeast: AwaitRecord.size)
            for _ in 0..<header.count {
                records.append(try AwaitRecord(reading: &cursor, header: header, in: bytes))
            }
            guard scheduler.awaited(records, client: link.session) else {
                throw WireError(.busy, "too many questions wait")
            }
        case .cancel:
            var records: [CancelRecord] = []
            var cursor = try header.recordCursor(atLeast: CancelRecord.size)
            for _ in 0..<header.count {
                records.append(try CancelRecord(reading: &cursor, header: header, in: bytes))
            }
            scheduler.cancelOrdered(records, client: link.session, at: now, into: &outbox)
        case .status:
            let status = statusText
            link.append { StatusReply.write(status.span.bytes, stamp: link.stamp, to: &$0) }
        case .explain:
            for id in try Explain.read(bytes, header: header) {
                let explanation = scheduler.explain(id, journalDown: nil, at: now)
                link.append(.explanations, recordLength: Explanation.size) { explanation.write(to: &$0) }
            }
        case .goodbye: left(link)
        case .hello, .welcome, .fault, .accepted, .refused, .results, .cancelled, .statusReply, .order, .orderReply,
            .explanations, .credit, .leases, .outcomes, .durable, .stale, .claim, .revoke, .offerAgain, .kept,
            .drain, .progress, .follow, .report, .checkpoint, .checkpointed, .events, .workerEvents:
            // (A twin has no operators.)
            throw WireError(.type, "message type \(header.type.rawValue) is not a client's to send")
        }
    }

    /// The requests of the submit just read that have a key, with what the journal knows of it.
    private func keyedRequests(_ bytes: borrowing RawSpan) -> [KeyedRequest] {
        var keyed: [KeyedRequest] = []
        for keys in submit.keys(in: bytes) {
            // The broker compares digests; here the content stands for itself.
            let content = submit.content(of: keys.job..<keys.job + Int(submit.jobs[keys.job].count), in: bytes).array()
            keyed.append(
                KeyedRequest(
                    job: keys.job, digest: content, known: keys.user.flatMap(journal.use),
                    knownUnique: keys.unique.flatMap(journal.use)))
        }
        return keyed
    }
}
