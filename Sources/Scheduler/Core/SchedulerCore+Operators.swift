import StatexProtocol

// What operators order. An order waits for its turn, the journal is asked what it knows of it, it is
// carried out, and the answer leaves when the order's row is durable.

extension SchedulerCore {
    /// How far an order reached.
    struct Reach {
        /// Jobs; of a drain, worker incarnations.
        var ids: [UInt64] = []
        /// If not the number of ids.
        var count: Int?
        var hasMore = false
        var message = ""
    }

    /// An operator ordered something.
    /// - Returns: false if too many orders wait: nothing was done, and it may be said again.
    package mutating func ordered(_ order: Order, client: UInt32, into out: inout Outbox) -> Bool {
        guard let sender = clients[client]?.producer else { return true }
        guard !desk.isFull else { return false }
        desk.add(.init(order: order, client: client, sender: sender))
        serveDesk(into: &out)
        return true
    }

    /// Asks the journal about the next order, if none is under way.
    mutating func serveDesk(into out: inout Outbox) {
        guard let entry = desk.next() else { return }
        out.orderLookups.append(
            OrderLookup(order: entry.order, sender: entry.sender, lowestOpen: lowestOpenJob(for: entry.order)))
    }

    private func lowestOpenJob(for order: Order) -> UInt64 {
        guard !order.filter.tags.isEmpty else { return 0 }
        var lowest = UInt64.max >> 1
        jobs.visit { lowest = min(lowest, $1.id) }
        return lowest
    }

    /// The journal answered: now the order is carried out.
    package mutating func orderRead(_ findings: OrderFindings, at now: Now, into out: inout Outbox) {
        guard let entry = desk.current else { return }
        if var known = findings.known {
            known.isRepeated = true
            return answerNow(known, to: entry.client, &out)
        }
        do throws(WireError) {
            if let refusal = findings.refusal { throw WireError(.refused, refusal) }
            let reach = try carryOut(entry.order, findings, at: now, into: &out)
            var reply = OrderReply(number: entry.order.number)
            reply.reached = UInt32(clamping: reach.count ?? reach.ids.count)
            reply.hasMore = reach.hasMore
            reply.message = reach.message
            guard !entry.order.isDryRun else { return answerNow(reply, to: entry.client, &out) }
            var row = CommitBatch.ActionRow(
                action: entry.order.action.name, who: entry.order.who, ids: reach.ids, reached: reply.reached)
            row.filter = entry.order.filter.json
            row.note = entry.order.note
            row.sender = entry.sender
            row.reply = reply
            gathering.actions.append(row)
            gathering.ordered.append(CommitBatch.Ordered(client: entry.client, reply: reply))
            desk.written()
        } catch {
            answerNow(OrderReply(number: entry.order.number, error), to: entry.client, &out)
        }
    }

    private mutating func answerNow(_ reply: OrderReply, to client: UInt32, _ out: inout Outbox) {
        out.ordered.append(CommitBatch.Ordered(client: client, reply: reply))
        desk.done()
        serveDesk(into: &out)
    }

    private mutating func carryOut(
        _ order: Order, _ findings: OrderFindings, at now: Now, into out: inout Outbox
    ) throws(WireError) -> Reach {
        switch order.action {
        case .pause: pause(Pauses.Subject(order.filter), by: order.who, order.isDryRun, at: now, into: &out)
        case .resume: resume(Pauses.Subject(order.filter), order.isDryRun)
        case .drain: try drain(order.filter.worker ?? "", order.isDryRun)
        case .cancel: cancel(order.filter, Set(findings.tagged), order.isDryRun, into: &out)
        case .retry: try retry(findings, order.isDryRun, at: now)
        case .drop: Reach(ids: findings.letters.map(\.id), hasMore: findings.hasMore)
        }
    }

    // MARK: Pauses

    private mutating func pause(
        _ subject: Pauses.Subject, by who: String, _ isDryRun: Bool, at now: Now, into out: inout Outbox
    ) -> Reach {
        var reach = Reach(count: queuedJobs(of: subject), message: "\(subject) is paused")
        if let by = pauses[subject] { reach.message += " already, by \(by)" }
        if !isKnown(subject) { reach.message += ", of which nothing was ever submitted" }
        guard !isDryRun else { return reach }
        pauses[subject] = who
        followPauses(of: subject)
        // Else a job that waits in a worker behind a long one would start an hour later.
        recall(of: subject, at: now, into: &out)
        return reach
    }

    private mutating func resume(_ subject: Pauses.Subject, _ isDryRun: Bool) -> Reach {
        var reach = Reach(count: queuedJobs(of: subject), message: "\(subject) goes on")
        if pauses[subject] == nil { reach.message = "\(subject) was not paused" }
        let others = pauses.all.filter { $0.subject != subject }
        if !others.isEmpty {
            reach.message += "; still paused: " + others.map { "\($0.subject) by \($0.by)" }.joined(separator: ", ")
        }
        guard !isDryRun else { return reach }
        pauses[subject] = nil
        followPauses(of: subject)
        return reach
    }

    private func queuedJobs(of subject: Pauses.Subject) -> Int {
        switch subject {
        case .everything: queued
        case .kind(let name): kindIndices[name].map { kinds[Int($0)].queued } ?? 0
        case .tenant(let name): tenants.index(of: name).map { tenants[$0].queued } ?? 0
        }
    }

    /// A name that no job ever had is mostly a slip.
    private func isKnown(_ subject: Pauses.Subject) -> Bool {
        switch subject {
        case .everything: true
        case .kind(let name): kindIndices[name] != nil
        case .tenant(let name): tenants.index(of: name) != nil
        }
    }

    private mutating func followPauses(of subject: Pauses.Subject) {
        switch subject {
        case .everything: break
        case .kind(let name):
            if let kind = kindIndices[name] { kinds[Int(kind)].pausedBy = pauses[subject] }
        case .tenant(let name):
            guard let tenant = tenants.index(of: name) else { return }
            tenants[tenant].pausedBy = pauses[subject]
            relistAll()
        }
    }

    /// Asks workers to give back what they have not started.
    private mutating func recall(of subject: Pauses.Subject, at now: Now, into out: inout Outbox) {
        for worker in workers.indices {
            recall(of: worker, at: now, into: &out) { core, slot in core.concerns(slot, subject) }
        }
    }

    mutating func recall(
        of worker: Int32, at now: Now, into out: inout Outbox, where isMeant: (borrowing SchedulerCore, Int32) -> Bool
    ) {
        guard workers[worker].isConnected else { return }
        var slot = workers[worker].leases.head
        while slot >= 0 {
            let next = jobs[slot].next
            if isMeant(self, slot) { recall(slot, of: worker, at: now, into: &out) }
            slot = next
        }
    }

    private func concerns(_ slot: Int32, _ subject: Pauses.Subject) -> Bool {
        switch subject {
        case .everything: true
        case .kind(let name): kinds[Int(jobs[slot].kind)].name == name
        case .tenant(let name): tenants[jobs[slot].tenant].name == name
        }
    }

    /// What was paused while a worker was away, it hears of when it claims what it holds.
    mutating func recallIfPaused(_ slot: Int32, of worker: Int32, at now: Now, into out: inout Outbox) {
        guard
            pauses.everything != nil || kinds[Int(jobs[slot].kind)].pausedBy != nil
                || tenants[jobs[slot].tenant].pausedBy != nil
        else { return }
        recall(slot, of: worker, at: now, into: &out)
    }

    private mutating func recall(_ slot: Int32, of worker: Int32, at now: Now, into out: inout Outbox) {
        guard jobs[slot].state == .leased, jobs[slot].flags.stopState == nil,
            jobs[slot].flags.isDisjoint(with: [.stealing, .unclaimed])
        else { return }
        // A lease that has not left yet never will.
        guard wasSent(jobs[slot].token) else { return loseLease(slot, ending: .returned, at: now) }
        askBack(slot, of: worker, for: Self.pause, into: &out)
    }

    // MARK: Workers

    private mutating func drain(_ name: String, _ isDryRun: Bool) throws(WireError) -> Reach {
        let meant = workers.indices.filter {
            let worker = workers[$0]
            return workers.isPresent($0)
                && (worker.name == name || Self.incarnationName(worker.name, worker.incarnation) == name)
        }
        guard !meant.isEmpty else { throw WireError(.unknown, "no worker \(name) is connected or holds leases") }
        let names = meant.map { Self.incarnationName(workers[$0].name, workers[$0].incarnation) }
        if !isDryRun {
            for worker in meant {
                workers[worker].isDraining = true
                drained.insert(workers[worker].incarnation)
            }
        }
        return Reach(ids: meant.map { workers[$0].incarnation }, message: names.joined(separator: ", "))
    }

    /// Tells workers that are to drain so, in each of their sessions.
    mutating func tellDrains(into out: inout Outbox) {
        for worker in workers.indices where workers[worker].isDraining && workers[worker].isConnected {
            guard !workers[worker].isToldToDrain else { continue }
            workers[worker].isToldToDrain = true
            out.drains.append(worker)
        }
    }

    // MARK: Cancelling

    private mutating func cancel(
        _ filter: OrderFilter, _ tagged: Set<UInt64>, _ isDryRun: Bool, into out: inout Outbox
    ) -> Reach {
        let found = matches(filter, tagged)
        guard !isDryRun else { return Reach(count: found.count) }
        var reach = Reach(hasMore: found.count > Limits.orderReach)
        for slot in dependantsFirst(found).prefix(Limits.orderReach) {
            reach.ids.append(jobs[slot].id)
            stop(slot, .cancelling, into: &out)
        }
        return reach
    }

    /// Who waits for others ends as cancelled before they do, and not because of them.
    private func dependantsFirst(_ slots: [Int32]) -> [Int32] {
        let inGraphs = slots.filter { jobs[$0].flags.contains(.inGraph) }
        guard !inGraphs.isEmpty else { return slots }
        return inGraphs.sorted { jobs[$0].id > jobs[$1].id } + slots.filter { !jobs[$0].flags.contains(.inGraph) }
    }

    /// Open jobs that nothing stops yet and that fit all of the filter.
    private mutating func matches(_ filter: OrderFilter, _ tagged: Set<UInt64>) -> [Int32] {
        var candidates: [Int32] = []
        if filter.jobs.isEmpty && filter.requests.isEmpty {
            jobs.visit { slot, _ in candidates.append(slot) }
        } else {
            var ids = filter.jobs.map(\.rawValue)
            for request in filter.requests {
                ids += (0..<UInt64(requestSize(request.rawValue))).map { request.rawValue + $0 }
            }
            var seen = Set<UInt64>()
            candidates = ids.filter { seen.insert($0).inserted }.compactMap { jobs.slot(of: $0) }
        }
        let kind = filter.kind.map { kindIndices[$0] ?? -1 }
        let tenant = filter.tenant.map { tenants.index(of: $0) ?? -1 }
        return candidates.filter { slot in
            let job = jobs[slot]
            guard !job.state.isFinal, job.flags.stopState == nil, kind.map({ $0 == job.kind }) ?? true,
                tenant.map({ $0 == job.tenant }) ?? true, filter.tags.isEmpty || tagged.contains(job.id)
            else { return false }
            return isIn(filter.state, job.state) && isHeld(by: filter.worker, job)
        }
    }

    private func isIn(_ wanted: JobState?, _ state: JobState) -> Bool {
        switch wanted {
        case nil: true
        case .leased, .running: state == .leased || state == .running
        default: state == wanted
        }
    }

    private func isHeld(by name: String?, _ job: JobRecord) -> Bool {
        guard let name else { return true }
        guard job.worker >= 0 else { return false }
        let worker = workers[job.worker]
        return worker.name == name || Self.incarnationName(worker.name, worker.incarnation) == name
    }
}

extension OrderFilter {
    /// As the journal keeps it; ids stand in a column of their own.
    var json: String {
        var text = JSONText()
        text.object {
            if everything { $0.member("everything", true) }
            if let kind { $0.member("kind", kind) }
            if let tenant { $0.member("tenant", tenant) }
            if !tags.isEmpty { $0.strings("tags", tags) }
            if let state { $0.member("state", state.name) }
            if let worker { $0.member("worker", worker) }
            if !requests.isEmpty { $0.strings("requests", requests.map(\.description)) }
        }
        return String(decoding: text.bytes, as: UTF8.self)
    }
}
