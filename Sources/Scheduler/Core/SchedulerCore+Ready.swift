import StatexProtocol

// In and out of the ready queues: every job that waits for a slot passes here.

extension SchedulerCore {
    /// The ready queue of jobs of this kind that require these labels.
    mutating func queueIndex(_ kind: Int32, _ labels: LabelSet = .none, suspicion: Suspicion = .none) -> Int32 {
        if let queue = knownQueue(kind, labels, suspicion) { return queue }
        let queue = Int32(queues.count)
        queues.append(ReadyQueue(kind: kind, labels: labels, suspicion: suspicion))
        kinds[Int(kind)].queues.append(queue)
        return queue
    }

    func knownQueue(_ kind: Int32, _ labels: LabelSet, _ suspicion: Suspicion = .none) -> Int32? {
        kinds[Int(kind)].queues.first {
            queues[Int($0)].labels == labels && queues[Int($0)].suspicion == suspicion
        }
    }

    /// A job is ready: a new one stands at the end, one that had its turn before keeps its age.
    mutating func makeReady(_ slot: Int32, at now: Now) {
        let tenant = jobs[slot].tenant
        let queue = Int(jobs[slot].queue)
        tenants.enqueued(tenant)
        queued += 1
        kinds[Int(jobs[slot].kind)].queued += 1
        jobs[slot].state = .queued
        let isLimited = tenants[tenant].isLimited
        let pass = tenants[tenant].pass
        if jobs[slot].flags.contains(.wasReady) {
            queues[queue].insertByAge(slot, isLimited: isLimited, pass: pass, in: &jobs)
        } else {
            jobs[slot].setReady(at: now)
            queues[queue].append(slot, isLimited: isLimited, pass: pass, in: &jobs)
        }
    }

    /// Takes a job out of its queue: it ends without a lease.
    mutating func unqueue(_ slot: Int32) {
        queues[Int(jobs[slot].queue)].remove(slot, in: &jobs)
        tenants[jobs[slot].tenant].queued -= 1
        queued -= 1
        kinds[Int(jobs[slot].kind)].queued -= 1
    }

    /// A tenant's limit may have room again: its lanes are listed, and parked once more if it has not.
    mutating func unpark(_ tenant: Int32) {
        for parked in tenants.takeParked(tenant) {
            queues[Int(parked.queue)].unpark(parked.lane, pass: tenants[tenant].pass)
        }
    }

    /// Sets timers for what rates hold back.
    mutating func waitForRates(at now: Now) {
        for tenant in tenants.takeNewlyParked() {
            guard
                case .until(let time) = tenants[tenant].limit.verdict(
                    running: tenants[tenant].leased, at: now.monotonic)
            else { continue }
            wake(Timers.Entry(due: time, id: UInt64(tenant), slot: tenant, purpose: .tenantRate))
        }
    }
}
