import StatexProtocol

// Retry by hand: a new job for a dead letter, of the same request, with the same payload and options. The
// dead letter keeps its outcome for ever.

extension SchedulerCore {
    /// Retries those that the bounds have room for, as a submit of each would; the others stay dead letters.
    mutating func retry(_ findings: OrderFindings, _ isDryRun: Bool, at now: Now) throws(WireError) -> Reach {
        let (admitted, refusal) = admit(findings.letters)
        // Ordered again at once, it would find those that were left.
        var reach = Reach(hasMore: findings.hasMore && refusal == nil)
        reach.ids = admitted.map { findings.letters[$0.place].id }
        if let refusal {
            let left = findings.letters.count - admitted.count
            reach.message = "\(left)\(findings.hasMore ? " and more" : "") left: \(refusal)"
        }
        guard !isDryRun, !admitted.isEmpty else { return reach }
        let bytes = admitted.reduce(0) { $0 + findings.letters[$1.place].payload.count }
        if let refusal = gatheringRefusal(bytes: bytes) { throw WireError(.busy, refusal) }
        let made = admitted.map { submitAgain(findings.letters[$0.place], kind: $0.kind, tenant: $0.tenant, at: now) }
        // The journal names all of them; a long list is nothing to read.
        var names = "as " + made.prefix(20).map { String($0) }.joined(separator: ", ")
        if made.count > 20 { names += ", …" }
        reach.message = reach.message.isEmpty ? names : "\(names); \(reach.message)"
        return reach
    }

    /// Where the letters stand that fit beside all that is open, and why the first of the others does not.
    private func admit(_ letters: [DeadLetter]) -> (
        admitted: [(place: Int, kind: Int32, tenant: Int32)], refusal: String?
    ) {
        var admitted: [(place: Int, kind: Int32, tenant: Int32)] = []
        var refusal: String?
        var whole = backlog
        var ofTenants: [Int32: Backlog] = [:]
        for (place, letter) in letters.enumerated() {
            // Memory has every name that the journal has.
            guard let kind = kinds.firstIndex(where: { $0.number == letter.kind }),
                let tenant = (0..<Int32(tenants.count)).first(where: { tenants[$0].number == letter.tenant })
            else { continue }
            var own = ofTenants[tenant] ?? tenants[tenant].backlog
            let one = Backlog(jobs: 1, bytes: letter.payload.count)
            let full =
                own.refusal(one, tenants[tenant].bounds, of: " of tenant \(tenants[tenant].name)")
                ?? whole.refusal(one, policies.bounds, of: "")
            if let full {
                refusal = refusal ?? full.message
                continue
            }
            own.add(bytes: UInt32(clamping: letter.payload.count))
            whole.add(bytes: UInt32(clamping: letter.payload.count))
            ofTenants[tenant] = own
            admitted.append((place, Int32(kind), tenant))
        }
        return (admitted, refusal)
    }

    /// - Returns: the new job.
    private mutating func submitAgain(_ letter: DeadLetter, kind: Int32, tenant: Int32, at now: Now) -> UInt64 {
        let id = allocateIDs(1, at: now)
        var options = letter.options
        // A time that is over would end the job before it starts.
        if let deadline = options.deadline, deadline <= now.wall { options.deadline = nil }
        // To whoever asks by its id it is a request of its own: ids that follow belong to others.
        let opts = JobOpts.pack(
            index: 0, count: 1, priority: JobOpts.priority(letter.opts), attempts: JobOpts.attempts(letter.opts),
            encoding: JobOpts.encoding(letter.opts), hasOptions: true)
        let start = gathering.payloads.buffer.count
        gathering.payloads.buffer.append(letter.payload)
        gathering.jobs.append(
            CommitBatch.JobRow(
                id: id, opts: opts, kind: letter.kind, tenant: letter.tenant, payloadStart: start,
                payloadLength: letter.payload.count))
        let numbers = options.labels.map { number(.label, $0) }
        gathering.options.append(
            CommitBatch.OptionsRow(
                id: id, options: options, labels: numbers, retryOf: letter.id, request: letter.request))
        var record = JobRecord()
        record.id = id
        record.payloadBatch = nextBatch
        record.payloadStart = UInt32(start)
        record.payloadLength = UInt32(letter.payload.count)
        record.kind = kind
        record.tenant = tenant
        record.queue = queueIndex(kind, options.labels.isEmpty ? .none : labelSets.set(of: options.labels))
        record.priority = min(JobOpts.priority(opts), UInt8(Limits.priorities - 1))
        record.attemptsAllowed = max(JobOpts.attempts(opts), 1)
        record.encoding = JobOpts.encoding(opts)
        record.runLimit = options.runLimitMilliseconds ?? 0
        // What it waited for is over; results that it takes as input are read when it is leased.
        if options.after.contains(where: \.isInput) { record.payloadBatch = 0 }
        record.flags.insert(.isRetry)
        retries[id] = letter.request
        let slot = open(record)
        counts.submitted += 1
        kinds[Int(kind)].counts.submitted += 1
        if let affinity = options.affinity { setAffinity(affinity, of: slot) }
        watch(options.deadline, of: slot, at: now)
        schedule(slot, runAt: options.runAt, at: now)
        return id
    }
}
