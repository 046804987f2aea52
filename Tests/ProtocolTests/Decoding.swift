import StatexProtocol

/// Reads a message of any type to its last byte, as its receiver does.
/// - Returns: what it says, field by field, as the vectors have it.
func decode(_ bytes: borrowing RawSpan, into batch: inout SubmitBatch) throws(WireError) -> [String: any Sendable] {
    let header = try Header(reading: bytes)
    var fields: [String: any Sendable] = [
        "type": Int(header.type.rawValue), "session": header.session, "incarnation": header.incarnation,
        "epoch": Int(header.epoch), "count": Int(header.count),
    ]
    switch header.type {
    case .hello:
        let hello = try Hello(reading: bytes, header: header)
        fields["role"] = Int(hello.role.rawValue)
        fields["slots"] = Int(hello.slots)
        fields["process"] = hello.incarnation
        fields["producer_high"] = hello.producer.high
        fields["producer_low"] = hello.producer.low
        fields["name"] = hello.name
        fields["details"] = hello.details
        fields["labels"] = hello.labels
        fields["resources"] = hello.resources.map { "\($0.amount) \($0.name)" }
        fields["kinds"] = hello.kinds.map { kind -> [String: any Sendable] in
            [
                "name": kind.name, "unavailable": kind.unavailable, "batch_size": Int(kind.batchSize),
                "batch_wait_ms": Int(kind.batchWaitMilliseconds),
            ]
        }
    case .welcome:
        let welcome = try Welcome(reading: bytes, header: header)
        fields["heartbeat_ms"] = Int(welcome.heartbeatMilliseconds)
        fields["lease_ms"] = Int(welcome.leaseMilliseconds)
        fields["last_sequence"] = welcome.lastSequence
    case .fault:
        let fault = try Fault(reading: bytes, header: header)
        fields["code"] = Int(fault.code)
        fields["retry_after_ms"] = Int(fault.retryAfterMilliseconds)
        fields["message"] = fault.message
    case .heartbeat:
        let heartbeat = try Heartbeat(reading: bytes, header: header)
        fields["held"] = Int(heartbeat.held)
        fields["running"] = Int(heartbeat.running)
    case .goodbye, .status, .offerAgain, .drain: break
    case .submit:
        try batch.read(bytes, header: header)
        fields["first_sequence"] = batch.firstSequence
        fields["notify"] = batch.notify
        fields["names"] = batch.names
        var jobs: [[String: any Sendable]] = []
        for job in batch.jobs { jobs.append(try describe(job, batch, bytes)) }
        fields["jobs"] = jobs
    case .explain: fields["ids"] = try Explain.read(bytes, header: header).map(\.rawValue)
    case .statusReply: fields["json"] = try StatusReply.read(bytes, header: header)
    case .order: fields.merge(describe(try Order(reading: bytes, header: header))) { $1 }
    case .orderReply:
        let reply = try OrderReply(reading: bytes, header: header)
        fields["number"] = reply.number
        fields["reached"] = Int(reply.reached)
        fields["code"] = Int(reply.code)
        fields["repeated"] = reply.isRepeated
        fields["more"] = reply.hasMore
        fields["message"] = reply.message
    case .credit: fields["credit"] = try Credit.read(bytes, header: header)
    case .events:
        let head = try EventsHead(reading: bytes, header: header)
        fields["batch"] = head.batch
        fields["after"] = head.after
        fields["first"] = Int(head.first)
        fields["total"] = Int(head.total)
        fields["at_us"] = head.at
        fields["shard"] = Int(head.shard)
        let names = try head.readNames(bytes, header: header)
        fields["names"] = names
        var cursor = try header.recordCursor(atLeast: EventRecord.size)
        var records: [[String: any Sendable]] = []
        for _ in 0..<header.count {
            let record = try EventRecord.read(&cursor, header: header, names: names.count, in: bytes)
            records.append(record.map { describe($0, names) } ?? [:])
        }
        fields["records"] = records
    case .workerEvents:
        fields["number"] = try WorkerEventRecord.readNumber(bytes, header: header)
        var cursor = try header.recordCursor(atLeast: WorkerEventRecord.size)
        var records: [[String: any Sendable]] = []
        for _ in 0..<header.count {
            let record = try WorkerEventRecord.read(&cursor, header: header, in: bytes)
            records.append(record.map(describe) ?? [:])
        }
        fields["records"] = records
    case .accepted, .refused, .await, .results, .cancel, .cancelled, .explanations, .leases, .outcomes, .durable,
        .stale, .claim, .revoke, .kept, .progress, .follow, .report, .checkpoint, .checkpointed:
        if header.type == .outcomes { fields["credit"] = try OutcomeRecord.readCredit(bytes, header: header) }
        fields["records"] = try records(bytes, header)
    }
    return fields
}

private func records(_ bytes: borrowing RawSpan, _ header: Header) throws(WireError) -> [[String: any Sendable]] {
    var cursor = try header.recordCursor(atLeast: minimumRecord(header.type))
    var records: [[String: any Sendable]] = []
    for _ in 0..<header.count { records.append(try record(bytes, &cursor, header)) }
    return records
}

private func minimumRecord(_ type: MessageType) -> Int {
    switch type {
    case .accepted: AcceptedRun.size
    case .refused: RefusedRun.size
    case .await: AwaitRecord.size
    case .results: ResultRecord.size
    case .cancel, .cancelled: CancelRecord.size
    case .explanations: Explanation.size
    case .leases: LeaseRecord.size
    case .outcomes: OutcomeRecord.size
    case .progress, .report: ProgressRecord.size
    case .checkpoint: CheckpointRecord.size
    default: TokenRecord.size
    }
}

private func record(_ bytes: borrowing RawSpan, _ cursor: inout ByteCursor, _ header: Header) throws(WireError)
    -> [String: any Sendable]
{
    switch header.type {
    case .accepted:
        let run = try AcceptedRun(reading: &cursor, header: header, in: bytes)
        return [
            "sequence": run.sequence, "first_id": run.firstID.rawValue, "requests": Int(run.requests),
            "jobs_each": Int(run.jobsEach), "repeated": run.repeated, "duplicate": run.duplicate,
        ]
    case .refused:
        let run = try RefusedRun(reading: &cursor, header: header, in: bytes)
        return [
            "sequence": run.sequence, "requests": Int(run.requests), "code": Int(run.code),
            "retry_after_ms": Int(run.retryAfterMilliseconds), "message": run.message,
        ]
    case .await:
        let record = try AwaitRecord(reading: &cursor, header: header, in: bytes)
        return [
            "id": record.id.rawValue, "is_request": record.isRequest, "waits": record.waits, "follows": record.follows,
        ]
    case .results:
        let record = try ResultRecord(reading: &cursor, header: header, in: bytes)
        let body = record.bodyStart..<record.bodyStart + Int(record.bodyLength)
        let kind = try bytes.text(record.kindStart..<record.kindStart + Int(record.kindLength), "kind")
        return [
            "id": record.id.rawValue, "index": Int(record.index), "count": Int(record.count),
            "state": Int(record.state?.rawValue ?? 0), "encoding": Int(record.encoding.rawValue),
            "attempts": Int(record.attempts), "losses": Int(record.losses), "ended_us": record.ended,
            "kind": kind, "body": hex(bytes.array(body)),
        ]
    case .cancel, .cancelled:
        let record = try CancelRecord(reading: &cursor, header: header, in: bytes)
        return ["id": record.id.rawValue, "is_request": record.isRequest, "jobs": Int(record.jobs)]
    case .explanations:
        let explanation = try Explanation(reading: &cursor, header: header, in: bytes)
        return [
            "id": explanation.id.rawValue, "state": Int(explanation.state?.rawValue ?? 0),
            "reason": Int(explanation.reason.rawValue), "until_us": explanation.until, "detail": explanation.detail,
        ]
    case .leases:
        let lease = try LeaseRecord(reading: &cursor, header: header, in: bytes)
        let payload = lease.payloadStart..<lease.payloadStart + Int(lease.payloadLength)
        return [
            "id": lease.id.rawValue, "token": lease.token, "run_limit_ms": Int(lease.runLimitMilliseconds),
            "attempt": Int(lease.attempt), "kind": Int(lease.kind), "encoding": Int(lease.encoding),
            "payload": hex(bytes.array(payload)), "inputs": try inputs(of: lease, bytes), "followed": lease.isFollowed,
            "affinity": lease.hasAffinity
                ? try bytes.text(
                    lease.affinityStart..<lease.affinityStart + Int(lease.affinityLength), "affinity") : "none",
            "checkpoint": lease.hasCheckpoint
                ? hex(bytes.array(lease.checkpointStart..<lease.checkpointStart + Int(lease.checkpointLength)))
                : "none",
            "trace": try trace(of: lease, bytes),
        ]
    case .progress, .report:
        let record = try ProgressRecord(reading: &cursor, header: header, in: bytes)
        return [
            "id": record.id.rawValue, "token": record.token, "offset": record.offset, "attempt": Int(record.attempt),
            "index": Int(record.index), "fraction": record.fraction.map { Int($0) } ?? -1,
            "text": try bytes.text(record.textStart..<record.pieceStart, "text"),
            "piece": try bytes.text(record.pieceStart..<record.pieceStart + Int(record.pieceLength), "piece"),
        ]
    case .checkpoint:
        let record = try CheckpointRecord(reading: &cursor, header: header, in: bytes)
        return [
            "id": record.id.rawValue, "token": record.token,
            "data": hex(bytes.array(record.start..<record.start + Int(record.length))),
        ]
    case .outcomes:
        let outcome = try OutcomeRecord(reading: &cursor, header: header, in: bytes)
        let body = outcome.bodyStart..<outcome.bodyStart + Int(outcome.bodyLength)
        return [
            "id": outcome.id.rawValue, "token": outcome.token, "ran_us": outcome.ranMicroseconds,
            "ago_us": Int(outcome.agoMicroseconds), "retry_after_ms": Int(outcome.retryAfterMilliseconds),
            "ending": Int(outcome.ending.rawValue), "retryable": outcome.retryable,
            "encoding": Int(outcome.encoding), "body": hex(bytes.array(body)),
        ]
    default:
        let record = try TokenRecord(reading: &cursor, header: header, in: bytes)
        return [
            "id": record.id.rawValue, "token": record.token, "reason": Int(record.reason.rawValue),
            "running": record.running,
        ]
    }
}

private func describe(_ job: SubmitJob, _ batch: SubmitBatch, _ bytes: borrowing RawSpan) throws(WireError)
    -> [String: any Sendable]
{
    let options = try JobOptions(
        reading: bytes, from: Int(job.optionsStart), length: Int(job.optionsLength), index: job.index)
    var fields: [String: any Sendable] = [
        "kind": batch.names[Int(job.kind)], "tenant": batch.names[Int(job.tenant)], "index": Int(job.index),
        "count": Int(job.count), "priority": Int(job.priority), "attempts": Int(job.attempts),
        "encoding": Int(job.encoding),
        "payload": hex(bytes.array(Int(job.payloadStart)..<Int(job.payloadStart + job.payloadLength))),
    ]
    if let key = options.userKey { fields["user_key"] = hex(key) }
    if let time = options.runAt { fields["run_at_us"] = time }
    if let time = options.delay { fields["delay_us"] = time }
    if let time = options.deadline { fields["deadline_us"] = time }
    if let limit = options.runLimitMilliseconds { fields["run_limit_ms"] = Int(limit) }
    if let trace = options.traceparent { fields["traceparent"] = trace.description }
    if !options.tags.isEmpty { fields["tags"] = options.tags }
    if let affinity = options.affinity { fields["affinity"] = affinity }
    if !options.labels.isEmpty { fields["labels"] = options.labels }
    if let unique = options.unique { fields["unique"] = "\(unique.seconds) s \(hex(unique.key))" }
    if !options.after.isEmpty {
        fields["after"] = options.after.map {
            "\($0.index)\($0.isInput ? " input" : "")\($0.failsDependant ? " fails" : "")"
        }
    }
    return fields
}

private func describe(_ order: Order) -> [String: any Sendable] {
    var fields: [String: any Sendable] = [
        "number": order.number, "action": Int(order.action.rawValue), "dry_run": order.isDryRun, "who": order.who,
    ]
    if order.filter.everything { fields["everything"] = true }
    if let kind = order.filter.kind { fields["kind"] = kind }
    if let tenant = order.filter.tenant { fields["tenant"] = tenant }
    if !order.filter.tags.isEmpty { fields["tags"] = order.filter.tags }
    if let state = order.filter.state { fields["state"] = Int(state.rawValue) }
    if let worker = order.filter.worker { fields["worker"] = worker }
    if !order.filter.jobs.isEmpty { fields["jobs"] = order.filter.jobs.map(\.rawValue) }
    if !order.filter.requests.isEmpty { fields["requests"] = order.filter.requests.map(\.rawValue) }
    if !order.note.isEmpty { fields["note"] = order.note }
    return fields
}

private func describe(_ event: EventRecord, _ names: [String]) -> [String: any Sendable] {
    func name(_ place: UInt16) -> String { place == EventRecord.noName ? "" : names[Int(place)] }
    return [
        "type": event.type.name, "id": event.id, "request": event.request, "at_us": event.at, "kind": name(event.kind),
        "tenant": name(event.tenant), "worker": name(event.worker), "number": Int(event.number),
        "index": Int(event.index), "ending": event.ending?.name ?? "",
    ]
}

private func describe(_ event: WorkerEventRecord) -> [String: any Sendable] {
    [
        "type": event.type.name, "incarnation": event.incarnation, "at_us": event.at, "slots": Int(event.slots),
        "name": event.name,
    ]
}

private func trace(of lease: LeaseRecord, _ bytes: borrowing RawSpan) throws(WireError) -> any Sendable {
    guard lease.hasTrace else { return "none" }
    var cursor = ByteCursor(at: lease.traceStart)
    let trace = try LeaseTrace(reading: &cursor, in: bytes)
    return [
        "traceparent": trace.context.description, "request": trace.request.rawValue, "tenant": trace.tenant,
        "waited_us": trace.waitedMicroseconds,
    ] as [String: any Sendable]
}

private func inputs(of lease: LeaseRecord, _ bytes: borrowing RawSpan) throws(WireError) -> [String] {
    let start = lease.payloadStart + Int(lease.payloadLength)
    let list = try LeaseInput.list(Int(lease.inputs), in: bytes.extracting(start..<start + Int(lease.inputsLength)))
    return list.map { "\($0.index) \($0.encoding.rawValue) \(hex($0.body))" }
}

func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

func bytes(hex text: String) -> [UInt8]? {
    let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
