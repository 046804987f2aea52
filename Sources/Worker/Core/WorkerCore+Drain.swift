import StatexProtocol

extension WorkerCore {
    /// The order to drain: take nothing more, hand back what has not started, finish what runs. The same
    /// order again means that the limit is over now.
    package mutating func drainOrdered(at now: Int64, into out: inout Outbox) {
        switch phase {
        case .working: beginDrain(until: now + settings.drainLimit, into: &out)
        // An operator's drain has no limit; now there is one.
        case .draining(.max): phase = .draining(until: now + settings.drainLimit)
        case .draining: phase = .draining(until: now)
        case .stopping, .delivering, .finished: break
        }
    }

    /// DRAIN: an operator takes this worker out. There is no hurry: what runs may take its time.
    package mutating func drainWanted(into out: inout Outbox) {
        if phase == .working { beginDrain(until: .max, into: &out) }
    }

    private mutating func beginDrain(until limit: Int64, into out: inout Outbox) {
        phase = .draining(until: limit)
        for row in table.rows.indices where table.rows[row].state == .waiting {
            out.withdrawals.append(table.handle(row))
        }
    }

    mutating func drainFurther(at now: Int64, into out: inout Outbox) {
        switch phase {
        case .working, .finished: break
        case .draining(let until):
            if waiting + running == 0 {
                let delivered = now + settings.deliveryLimit
                phase = .delivering(until: until == .max ? delivered : max(until, delivered))
                drainFurther(at: now, into: &out)
            } else if now >= until {
                stopAll(into: &out)
                phase = .stopping(until: now + settings.stopGrace)
            }
        case .stopping(let until):
            guard waiting + running == 0 || now >= until else { return }
            giveUpRunning(at: now, into: &out)
            phase = .delivering(until: now + settings.deliveryLimit)
            drainFurther(at: now, into: &out)
        case .delivering(let until):
            guard kept == 0 || now >= until else { return }
            phase = .finished
            out.goodbye = true
        }
    }

    private mutating func stopAll(into out: inout Outbox) {
        for row in table.rows.indices { stop(row, .drained, into: &out) }
    }

    /// A handler that ignores the order to stop ends with the process, which is next: its job is handed
    /// back now, so that it need not wait for the lease to run out.
    private mutating func giveUpRunning(at now: Int64, into out: inout Outbox) {
        for row in table.rows.indices {
            switch table.rows[row].state {
            case .waiting:
                waiting -= 1
                waitingBytes -= Int(table.rows[row].contentLength)
            case .running: running -= 1
            case .free, .ended: continue
            }
            policy.released(kind: table.rows[row].kind)
            switch table.rows[row].stop {
            case .revoked:
                if table.rows[row].state == .running { stuck -= 1 }
                table.remove(row)
            case .cancelled: keep(row, .cancelled, at: now, into: &out)
            case .none, .drained, .timeout: keep(row, .returned, at: now, into: &out)
            }
        }
        limits.removeAll()
        nextLimit = .max
    }
}
