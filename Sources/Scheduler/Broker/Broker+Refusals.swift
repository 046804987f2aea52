import StatexHandOff
import StatexProtocol
import StatexSchedulerCore

// What the journal refuses to read, for what is in it: asked again, it would refuse again. Whoever asked hears so.

extension Broker {
    mutating func readRefused(_ request: ReadRequest, _ reason: String) {
        counts.readsRefused += 1
        let error = WireError(.refused, reason)
        switch request {
        case .payloads(let wanted):
            for each in wanted { core.leaseRefused(each.lease, reason, at: now) }
        case .outcomes(let lookups):
            // Its job is open no more, or held by another: the worker may let go of it.
            for lookup in lookups { core.outcomeLookedUp(lookup, isRecorded: false, into: &outbox) }
        case .results(let lookups):
            var told = Set<UInt32>()
            for lookup in lookups {
                core.lookedUp(lookup, ResultRecord(id: lookup.record.id, count: 0, state: nil))
                guard told.insert(lookup.client).inserted, let peer = sessions[lookup.client] else { continue }
                fault(error, to: peer)
            }
        case .producer(_, let tag):
            guard let waiting = waitingHellos.removeValue(forKey: tag), !waiting.peer.isGone else { return }
            waiting.peer.waitingTag = nil
            fault(error, to: waiting.peer)
        case .keys(_, _, let tag): keysRefused(reason, tag: tag)
        case .order:
            var findings = OrderFindings()
            findings.refusal = reason
            core.orderRead(findings, at: now, into: &outbox)
        case .stop: break
        }
    }
}
