import StatexProtocol

extension WorkerCore {
    /// A new session. What is held is claimed first, then every kept outcome is offered again.
    package mutating func welcomed(_ welcome: Welcome, at now: Int64, into out: inout Outbox) {
        guard case .greeting = link.state else {
            counters.staleMessages += 1
            return
        }
        guard link.believes(welcome.stamp) else {
            counters.staleMessages += 1
            link.close("a scheduler of an older epoch or a former journal answered", at: now, into: &out)
            return
        }
        link.welcomed(welcome, at: now)
        out.forgetSession()
        claimAll(into: &out)
        offerAll(into: &out)
        reportsBeginAgain()
        isResuming = true
        out.credit = true
    }

    /// Whether a message belongs to this session; if not, it is counted and must not be acted upon.
    package mutating func accepts(_ header: Header, at now: Int64) -> Bool {
        guard link.accepts(header) else {
            counters.staleMessages += 1
            return false
        }
        link.heard(at: now)
        return true
    }

    package mutating func faulted(_ fault: Fault, at now: Int64, into out: inout Outbox) {
        let delay = Int64(fault.retryAfterMilliseconds) * millisecond
        switch WireError.Code(rawValue: fault.code) {
        case .version:
            if case .closed = link.state { return }
            out.failure = WireError(.version, fault.message)
        case .superseded:
            // Incarnations are random, so the other connection was this worker's own: a HELLO of before that
            // came late. Nobody is behind it.
            if link.isOpen { link.close("an older connection of this worker took over", at: now, into: &out) }
        case .session, .stale:
            // One fault for each message that was on its way: only the first one counts.
            if link.isOpen { link.greetAgain(at: now, into: &out) }
        case .busy:
            if case .greeting = link.state { link.close("the scheduler is busy", after: delay, at: now, into: &out) }
        case .malformed, .type, .tooLarge, .unsupported, .keyConflict, .refused, .unknown, .forbidden, nil:
            link.close("the scheduler did not understand a message", after: delay, at: now, into: &out)
        }
    }

    /// A message could not be understood, so both sides may disagree on what is held: begin anew.
    package mutating func misunderstood(at now: Int64, into out: inout Outbox) {
        if case .closed = link.state { return }
        link.close("a message could not be understood", at: now, into: &out)
    }

    /// The scheduler left, or the socket failed.
    package mutating func disconnected(_ reason: StaticString, at now: Int64, into out: inout Outbox) {
        if case .closed = link.state { return }
        link.close(reason, at: now, into: &out)
    }

    /// The connection was not let in: the scheduler does not allow this key.
    package mutating func refused(at now: Int64, into out: inout Outbox) {
        guard case .greeting = link.state else { return }
        link.close("the scheduler does not let this key in", longest: Link.longestRefusal, at: now, into: &out)
    }

    /// OFFER_AGAIN: the scheduler may have lost what it was told.
    package mutating func offersWanted(into out: inout Outbox) {
        out.offers.removeAll(keepingCapacity: true)
        offerAll(into: &out)
    }

    private mutating func claimAll(into out: inout Outbox) {
        for row in table.rows where row.stop != .revoked && (row.state == .waiting || row.state == .running) {
            out.claims.append(claim(row))
        }
        out.claims.sort { ($0.incarnation, $0.record.token) < ($1.incarnation, $1.record.token) }
    }

    private mutating func offerAll(into out: inout Outbox) {
        for index in table.rows.indices where table.rows[index].state == .ended {
            // An answer to a second offer may be one to the first: it measures nothing.
            table.rows[index].sentAt = -1
            out.offers.append(table.handle(index))
        }
        let rows = table.rows
        out.offers.sort {
            let (left, right) = (rows[Int($0.row)], rows[Int($1.row)])
            return (left.incarnation, left.counter) < (right.incarnation, right.counter)
        }
    }
}
