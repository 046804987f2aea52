import StatexMetrics
import StatexProtocol

// What the shells look at: never changes anything.

extension SchedulerCore {
    /// Where a leased job's payload is, and what its LEASES record says; nil if the lease is over, or
    /// is from before its worker came back: what that has not claimed it gives back with its first
    /// CREDIT, which may be on its way already.
    package mutating func leaseContent(_ lease: Outbox.Lease) -> LeaseContent? {
        guard lease.slot >= 0, jobs[lease.slot].token == lease.token, jobs[lease.slot].worker == lease.worker,
            !jobs[lease.slot].flags.contains(.unclaimed)
        else { return nil }
        let job = jobs[lease.slot]
        let worker = workers[lease.worker]
        guard worker.isConnected, let own = worker.ownIndex(of: job.kind) else { return nil }
        var record = LeaseRecord(
            id: JobID(rawValue: job.id), token: job.token, runLimitMilliseconds: job.runLimit,
            payloadLength: job.payloadLength,
            attempt: job.attempt, kind: own, encoding: job.encoding)
        record.isFollowed = job.flags.contains(.followed)
        record.hasCheckpoint = job.flags.contains(.hasCheckpoint)
        record.hasAffinity = job.flags.contains(.hasAffinity)
        return LeaseContent(
            session: worker.session, record: record, payloadBatch: job.payloadBatch, payloadStart: Int(job.payloadStart)
        )
    }

    package struct LeaseContent: Sendable {
        package var session: UInt32
        package var record: LeaseRecord
        /// The commit whose slab holds the payload; 0: it must be read back.
        package var payloadBatch: UInt64
        package var payloadStart: Int
    }

    /// The key that a leased job names, if it does.
    package func affinityName(_ lease: Outbox.Lease) -> String? { affinity(lease.slot)?.name }

    /// What a leased job's worker is told of it if it belongs to a trace.
    package func trace(_ lease: Outbox.Lease, _ context: TraceContext, at now: Now) -> LeaseTrace {
        let job = jobs[lease.slot]
        let request = retries[job.id] ?? job.id - UInt64(job.index)
        return LeaseTrace(
            context: context, request: JobID(rawValue: request),
            waitedMicroseconds: UInt64(max(job.age(at: now), 0) / 1_000), tenant: tenants[job.tenant].name)
    }

    package func kindName(_ kind: Int32) -> String { kinds[Int(kind)].name }
    package func workerSession(_ worker: Int32) -> UInt32 { workers[worker].session }

    package var openJobs: Int { jobs.count }

    package struct QueueStatus: Sendable {
        package var kind: String
        package var queued: Int
        package var leased: Int
        package var delayed: Int
        package var blocked: Int
        /// How long one slot would work at what is queued.
        package var backlogSeconds: Double
        /// How long the oldest that is queued waits.
        package var oldestSeconds: Double
        /// Attempts that ran to their end since the scheduler started, and how long they ran together.
        package var runs: UInt64
        package var runSeconds: Double
        /// Of those that are queued, those that require labels.
        package var labelled: [(labels: [String], queued: Int)]
        package var circuit: Circuit.State
        package var heldRetries: Int
        package var pausedBy: String?
    }

    package func queueStatus(at now: Now) -> [QueueStatus] {
        kinds.indices.map { index in
            let (kind, shown) = (kinds[index], metrics(ofKind: index, at: now))
            return QueueStatus(
                kind: kind.name, queued: kind.queued, leased: kind.leased, delayed: shown.open.delayed,
                blocked: shown.open.blocked, backlogSeconds: shown.backlogSeconds, oldestSeconds: shown.oldestSeconds,
                runs: kind.counts.run.count, runSeconds: kind.counts.run.seconds,
                labelled: kind.queues.compactMap { index in
                    let queue = queues[Int(index)]
                    return queue.labels == .none || queue.count == 0 ? nil : (labelSets[queue.labels], queue.count)
                },
                circuit: kind.circuit.state(at: now.monotonic), heldRetries: kind.heldRetries.count,
                pausedBy: kind.pausedBy)
        }
    }

    /// What is paused, and by whom.
    package var pauseStatus: [(subject: Pauses.Subject, by: String)] { pauses.all }

    package var workerStatus: [WorkerRecord] {
        workers.indices.filter { workers.isPresent($0) }.map { workers[$0] }
    }

    package var clientCount: Int { clients.count }
    package var delayedJobs: Int { kinds.reduce(0) { $0 + openJobs(of: $1).delayed } }
    package var blockedJobs: Int { blocked }

    /// Holds what must be true between events; the simulator calls it after each. It looks at every job.
    package borrowing func validate() {
        var leased = 0
        var queued = 0
        var blocked = 0
        var held = 0
        var joined = 0
        var accused = 0
        var ofKinds = kinds.map { _ in SchedulerSnapshot.OpenJobs() }
        jobs.visit { slot, job in
            if job.flags.contains(.joinsBatch) { joined += 1 }
            if job.flags.contains(.heldRetry) {
                held += 1
                precondition(job.state == .delayed, "a held retry that is not delayed")
            }
            switch job.state {
            case .leased, .running:
                leased += 1
                ofKinds[Int(job.kind)].leased += 1
                if isAccused(slot) { accused += 1 }
                precondition(job.token != 0 && job.worker >= 0, "a leased job without a lease")
                precondition(workers.isPresent(job.worker), "a lease of a worker that is gone")
            case .queued:
                queued += 1
                ofKinds[Int(job.kind)].queued += 1
                precondition(job.token == 0 && job.worker < 0, "a queued job with a lease")
            case .blocked:
                blocked += 1
                ofKinds[Int(job.kind)].blocked += 1
                precondition(job.token == 0 && job.worker < 0, "a blocked job with a lease")
                precondition(
                    graphs[job.id - UInt64(job.index)]?.isBlocked(job.index) == true, "a job is blocked by nothing")
            case .delayed:
                ofKinds[Int(job.kind)].delayed += 1
                precondition(job.token == 0 && job.worker < 0, "a delayed job with a lease")
            case .succeeded, .failed, .dead, .cancelled, .expired:
                precondition(job.token == 0, "a final job with a lease")
            }
        }
        precondition(
            leased == workers.indices.reduce(0) { $0 + workers[$1].leases.count }, "leases and workers disagree")
        precondition(
            joined == workers.indices.reduce(0) { $0 + workers[$1].batchmates }, "batches and workers disagree")
        precondition(
            accused == workers.indices.reduce(0) { $0 + workers[$1].accused }, "accused jobs and workers disagree")
        precondition(leased == kinds.reduce(0) { $0 + $1.leased }, "leases and kinds disagree")
        precondition(zip(kinds, ofKinds).allSatisfy { openJobs(of: $0) == $1 }, "open jobs of kinds disagree")
        precondition(
            workers.indices.allSatisfy { worker in
                workers[worker].resources.items.map(\.used) == countedResources(of: worker).items.map(\.used)
            }, "leases and resources disagree")
        precondition(queued == queues.reduce(0) { $0 + $1.count }, "ready queues and jobs disagree")
        precondition(queued == self.queued, "the count of queued jobs is wrong")
        precondition(blocked == self.blocked, "the count of blocked jobs is wrong")
        precondition(
            held == heldRetries && held == kinds.reduce(0) { $0 + $1.heldRetries.count },
            "held retries and jobs disagree")
        precondition(queued == kinds.reduce(0) { $0 + $1.queued }, "kinds and jobs disagree")
        let ofTenants = (0..<Int32(tenants.count)).reduce(into: (queued: 0, leased: 0)) {
            $0.queued += tenants[$1].queued
            $0.leased += tenants[$1].leased
        }
        precondition(backlog.jobs == jobs.count, "the backlog and jobs disagree")
        precondition(
            backlog
                == (0..<Int32(tenants.count)).reduce(into: Backlog()) {
                    $0.jobs += tenants[$1].backlog.jobs
                    $0.bytes += tenants[$1].backlog.bytes
                }, "backlogs of tenants and of all disagree")
        precondition(queued == ofTenants.queued && leased == ofTenants.leased, "tenants and jobs disagree")
        precondition(
            stolenFor.count <= workers.indices.reduce(0) { $0 + workers[$1].askedBack }, "steals and workers disagree")
        var opens = [UInt16](repeating: 0, count: tallies.standings.count)
        jobs.visit { _, job in if job.tally >= 0 { opens[Int(job.tally)] += 1 } }
        precondition(opens == tallies.standings.map(\.open), "requests of several jobs and their tallies disagree")
        precondition(nextToken >= durableToken && nextBatch > committedBatch)
    }
}
