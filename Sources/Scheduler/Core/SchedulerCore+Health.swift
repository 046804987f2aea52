import StatexProtocol

// What attempts that end say of their kind and of their worker: circuits, quarantine, the retry budget.

extension SchedulerCore {
    /// An attempt succeeded. The hot path: nearly always nothing failed before.
    @inline(__always)
    mutating func attemptSucceeded(_ slot: Int32, on worker: Int32) {
        let kind = Int(jobs[slot].kind)
        kinds[kind].successes &+= 1
        kinds[kind].circuit.succeeded()
        if jobs[slot].failures > 0 { kinds[kind].budget.retrySucceeded() }
        if !workers[worker].quarantine.isEmpty { workers[worker].quarantine.succeeded(jobs[slot].kind) }
    }

    /// An attempt failed and may be retried.
    mutating func attemptFailed(_ slot: Int32, on worker: Int32, at now: Now) {
        let kind = jobs[slot].kind
        let job = jobs[slot].id
        if let probe = kinds[Int(kind)].circuit.failed(job, at: now.monotonic) {
            wakeKind(kind, at: probe)
            tripped.append((kind, nil))
        }
        let probe = workers[worker].quarantine.failed(
            job, of: kind, successes: kinds[Int(kind)].successes, settings: kinds[Int(kind)].policy.quarantine,
            at: now.monotonic)
        if let probe {
            wakeKind(kind, at: probe)
            tripped.append((kind, worker))
        }
    }

    /// Asks for what waits where its kind fails: it would fail too, and use an attempt up.
    mutating func recallTripped(at now: Now, into out: inout Outbox) {
        for (kind, failing) in tripped {
            for worker in workers.indices where failing.map({ $0 == worker }) ?? true {
                recall(of: worker, at: now, into: &out) { core, slot in core.jobs[slot].kind == kind }
            }
        }
        tripped.removeAll(keepingCapacity: true)
    }

    private mutating func wakeKind(_ kind: Int32, at time: Int64) {
        wake(Timers.Entry(due: time, id: UInt64(kind), slot: kind, purpose: .kind))
    }

    // MARK: Retries

    /// A delay is over: the job is ready, unless it is a retry and its kind's budget is used up.
    mutating func delayEnded(_ slot: Int32, at now: Now) {
        let kind = Int(jobs[slot].kind)
        guard jobs[slot].failures > 0 else { return makeReady(slot, at: now) }
        if kinds[kind].heldRetries.isEmpty, kinds[kind].budget.take(at: now.monotonic) {
            return makeReady(slot, at: now)
        }
        jobs[slot].flags.insert(.heldRetry)
        kinds[kind].heldRetries.append(slot, in: &jobs)
        heldRetries += 1
    }

    /// Lets retries go on for which their kind's budget has room again.
    /// - Returns: whether there were some.
    mutating func releaseRetries(at now: Now) -> Bool {
        guard heldRetries > 0 else { return false }
        var hasReleased = false
        for kind in kinds.indices where !kinds[kind].heldRetries.isEmpty {
            while !kinds[kind].heldRetries.isEmpty, kinds[kind].budget.take(at: now.monotonic) {
                let slot = kinds[kind].heldRetries.head
                unholdRetry(slot)
                makeReady(slot, at: now)
                hasReleased = true
            }
            guard !kinds[kind].heldRetries.isEmpty, let next = kinds[kind].budget.nextAt else { continue }
            // One timer is enough, unless it comes too late.
            let planned = kinds[kind].retriesWakeAt
            guard planned <= now.monotonic || next < planned else { continue }
            kinds[kind].retriesWakeAt = next
            wakeKind(Int32(kind), at: next)
        }
        return hasReleased
    }

    /// Takes a job out of those that wait for the budget.
    mutating func unholdRetry(_ slot: Int32) {
        jobs[slot].flags.remove(.heldRetry)
        kinds[Int(jobs[slot].kind)].heldRetries.remove(slot, in: &jobs)
        heldRetries -= 1
    }

    // MARK: Looking

    package func circuit(ofKind kind: Int32, at now: Now) -> Circuit.State {
        kinds[Int(kind)].circuit.state(at: now.monotonic)
    }

    package func quarantine(of worker: Int32, kind: Int32, at now: Now) -> Circuit.State {
        workers[worker].quarantine.state(of: kind, at: now.monotonic)
    }

    /// When the budget lets the next retry of the kind go on at the latest, if some wait for it.
    package func retriesHeld(ofKind kind: Int32) -> (count: Int, until: Int64?)? {
        let record = kinds[Int(kind)]
        return record.heldRetries.isEmpty ? nil : (record.heldRetries.count, record.budget.nextAt)
    }
}
