import StatexProtocol

// Jobs that wait for others of their request: blocked until all of those succeeded. One that ends
// otherwise takes those along that wait for it, in its own commit: so what is blocked in the journal waits
// for something that is open, whenever a scheduler dies.

extension SchedulerCore {
    /// Remembers who waits for whom in a new request, before its jobs come.
    /// - Returns: whether anybody does.
    mutating func addGraph(request: UInt64, _ options: [JobOptions?]) -> Bool {
        let edges = options.enumerated().compactMap { index, options -> (job: UInt16, after: [JobDependency])? in
            guard let options, !options.after.isEmpty else { return nil }
            return (UInt16(index), options.after)
        }
        guard !edges.isEmpty else { return false }
        graphs[request] = RequestGraph(jobs: options.count, present: options.count, edges: edges)
        return true
    }

    /// A job waits for others; its own times count too.
    mutating func block(_ slot: Int32, runAt: Int64?, deadline: Int64?, at now: Now) {
        jobs[slot].state = .blocked
        blocked += 1
        kinds[Int(jobs[slot].kind)].blocked += 1
        watch(deadline, of: slot, at: now)
        if let runAt, runAt > now.wall { graphs[request(of: slot)]?.setStart(of: jobs[slot].index, at: runAt) }
    }

    /// A job succeeded: those that waited for nothing else are ready, or wait for their time.
    mutating func releaseDependants(of slot: Int32, at now: Now) {
        let request = request(of: slot)
        guard let dependants = graphs[request]?.dependants(of: jobs[slot].index) else { return }
        for packed in dependants {
            let index = JobDependency(packed: packed).index
            guard let target = jobs.slot(of: request + UInt64(index)), jobs[target].state == .blocked,
                graphs[request]?.satisfied(index) == true
            else { continue }
            blocked -= 1
            kinds[Int(jobs[target].kind)].blocked -= 1
            schedule(target, runAt: graphs[request]?.takeStart(of: index), at: now)
        }
    }

    /// A job ended otherwise than succeeded: those that wait for it end, and those that wait for these.
    mutating func endDependants(of slot: Int32) {
        guard let graph = graphs[request(of: slot)] else { return }
        var ended = [slot]
        while let cause = ended.popLast() {
            for packed in graph.dependants(of: jobs[cause].index) {
                let dependant = JobDependency(packed: packed)
                guard let target = jobs.slot(of: request(of: cause) + UInt64(dependant.index)),
                    !jobs[target].state.isFinal
                else { continue }
                endDependant(
                    target, fails: dependant.failsDependant,
                    // Dead letters are grouped by the first line, which therefore names no job.
                    "a job it waits for (kind \(kindName(jobs[cause].kind))) ended as \(jobs[cause].state)\n"
                        + "job \(jobs[cause].id)")
                ended.append(target)
            }
        }
    }

    /// Ends a job that will not run because of what it waited for.
    ///
    /// It may have been leased already if the journal refused the result of what it waited for, which
    /// had succeeded until then. Its lease never left: the answer to that very commit is being read.
    mutating func endDependant(_ slot: Int32, fails: Bool, _ reason: String) {
        var token: UInt64 = 0
        var lease = CommitBatch.EndedLease.none
        switch jobs[slot].state {
        case .blocked, .delayed: break
        case .queued: unqueue(slot)
        case .leased, .running:
            token = jobs[slot].token
            startUndone(slot)
            lease = endLease(slot)
        case .succeeded, .failed, .dead, .cancelled, .expired: return
        }
        let ending: Ending = fails ? .failed : .cancelled
        let text = ErrorText(Self.dependencyClass, "not run: \(reason)")
        let start = gathering.resultBytes.count
        text.write(to: &gathering.resultBytes)
        gathering.results.append(
            CommitBatch.ResultRow(
                job: jobs[slot].id, token: token, ending: ending, encoding: Encoding.bytes.rawValue, start: start,
                length: text.length))
        record(
            CommitBatch.OutcomeRow(
                id: jobs[slot].id, token: token, started: 0, ended: 0, retry: -1, ending: ending,
                final: fails ? .failed : .cancelled, result: Int32(gathering.results.count - 1), slot: slot,
                lease: lease))
    }

    /// The class of the error that a job ends with that was not run because of another.
    private static var dependencyClass: String { "dependency" }

    /// A job of a request with dependencies leaves memory.
    mutating func leaveGraph(_ job: JobRecord) {
        let request = job.id - UInt64(job.index)
        graphs[request]?.present -= 1
        if graphs[request]?.present == 0 { graphs[request] = nil }
    }

    /// Whom a blocked job waits for, for people.
    mutating func awaited(by slot: Int32) -> String {
        let request = request(of: slot)
        let open = (graphs[request]?.dependencies(of: jobs[slot].index) ?? []).filter {
            isOpen(request + UInt64($0))
        }
        guard let first = open.first, let awaited = jobs.slot(of: request + UInt64(first)) else { return "" }
        let others = open.count > 1 ? " and \(open.count - 1) other\(open.count == 2 ? "" : "s")" : ""
        return "after job \(jobs[awaited].id) (\(kindName(jobs[awaited].kind)), \(jobs[awaited].state))\(others)"
    }

    func request(of slot: Int32) -> UInt64 { jobs[slot].id - UInt64(jobs[slot].index) }

    // MARK: A new owner

    /// Blocks those of the recovered jobs that wait for others, and ends those whose dependencies ended.
    ///
    /// - Parameter open: by rising id, all of them in the table: whoever waits comes behind what it waits for.
    mutating func recoverDependencies(_ open: [RecoveredJob], at now: Now) {
        var edges: [(job: UInt16, after: [JobDependency])] = []
        var request: UInt64 = 0
        for job in open where !job.waitsFor.isEmpty {
            guard let slot = jobs.slot(of: job.id), !jobs[slot].state.isFinal else { continue }
            if self.request(of: slot) != request {
                recoverGraph(request, edges)
                edges.removeAll()
                request = self.request(of: slot)
            }
            let open = job.waitsFor.filter { isOpen(request + UInt64($0.index)) }
            if let lost = job.waitsFor.first(where: { !isOpen(request + UInt64($0.index)) }) {
                endDependant(
                    slot, fails: lost.failsDependant,
                    "a job it waits for did not succeed\njob \(request + UInt64(lost.index))")
            } else if jobs[slot].state == .blocked {
                edges.append((jobs[slot].index, open))
            }
        }
        recoverGraph(request, edges)
        for job in open where job.notBefore > now.wall {
            guard let slot = jobs.slot(of: job.id), jobs[slot].state == .blocked else { continue }
            graphs[self.request(of: slot)]?.setStart(of: jobs[slot].index, at: job.notBefore)
        }
    }

    private mutating func recoverGraph(_ request: UInt64, _ edges: [(job: UInt16, after: [JobDependency])]) {
        guard let first = edges.first, let slot = jobs.slot(of: request + UInt64(first.job)) else { return }
        let size = Int(jobs[slot].count)
        var present = 0
        for offset in 0..<UInt64(size) {
            guard let slot = jobs.slot(of: request + offset) else { continue }
            jobs[slot].flags.insert(.inGraph)
            present += 1
        }
        graphs[request] = RequestGraph(jobs: size, present: present, edges: edges)
    }

    private mutating func isOpen(_ id: UInt64) -> Bool {
        guard let slot = jobs.slot(of: id) else { return false }
        return !jobs[slot].state.isFinal
    }
}
