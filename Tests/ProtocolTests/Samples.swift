import StatexProtocol

/// One valid message of each type, and the shapes of a type that differ. The vectors pin their bytes.
struct Sample {
    let name: String
    let bytes: [UInt8]

    init(_ name: String, _ write: (inout ByteBuffer) -> Void) {
        self.name = name
        var buffer = ByteBuffer()
        write(&buffer)
        bytes = buffer.array()
    }

    init(_ name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    static let stamp = SessionStamp(session: 0x0102_0304_0506_0708, incarnation: 0x1112_1314_1516_1718, epoch: 7)
    /// In the hour 490,000, shard 3.
    static let id = JobID(hour: 490_000, shard: 3, counter: 4_097) ?? JobID(rawValue: 1)

    static func after(_ distance: UInt64) -> JobID { JobID(rawValue: id.rawValue + distance) }

    private static let none: [UInt8] = []

    static let all: [Sample] = handshake + submits + answers + questions + orders + work + progress + events

    private static let handshake = [
        Sample("hello of a client") {
            var hello = Hello(role: .client, incarnation: 0x2122_2324_2526_2728, name: "svc")
            hello.producer = Producer(high: 0x3132_3334_3536_3738, low: 0x4142_4344_4546_4748)
            hello.write(to: &$0)
        },
        Sample("hello of a worker") {
            var hello = Hello(role: .worker, incarnation: 9, name: "wörker-1")
            hello.journal = 0x1112_1314_1516_1718
            hello.slots = 4
            hello.details = #"{"isolation":"strict"}"#
            hello.labels = ["gpu", "eu-west"]
            hello.resources = [ResourceAmount("gpu", 2), ResourceAmount("memory_gib", 24)]
            hello.kinds = [
                .init("text"), .init("audio", unavailable: "no model"),
                .init("embed", batchSize: 32, batchWaitMilliseconds: 20),
            ]
            hello.write(to: &$0)
        },
        Sample("welcome") {
            Welcome(stamp: stamp, heartbeatMilliseconds: 1_000, leaseMilliseconds: 10_000, lastSequence: 41)
                .write(to: &$0)
        },
        Sample("fault") {
            Fault(WireError(.busy, "the journal is down"), retryAfterMilliseconds: 250).write(to: &$0, stamp: stamp)
        },
        Sample("heartbeat") { Heartbeat(held: 12, running: 4).write(to: &$0, stamp: stamp) },
        Sample("goodbye") { Bare.write(.goodbye, stamp: stamp, to: &$0) },
    ]

    private static let submits = [
        Sample(
            "submit of one job",
            bytes: submit(notify: false) { writer in
                let job = SubmitJob(kind: writer.number(of: "text"), tenant: writer.number(of: "default"))
                writer.append(job, options: none.span.bytes, payload: Array("hello".utf8).span.bytes)
            }),
        Sample(
            "submit of two requests",
            bytes: submit(notify: true) { writer in
                let tenant = writer.number(of: "müller")
                var options = JobOptions()
                options.userKey = Array("order-17".utf8)
                options.runAt = 1_764_000_000_000_000
                options.deadline = 1_764_000_600_000_000
                options.runLimitMilliseconds = 30_000
                options.traceparent = trace
                options.tags = ["nightly", "eu"]
                options.labels = ["gpu"]
                options.affinity = "whisper-tiny.en"
                var buffer = ByteBuffer()
                options.write(to: &buffer)
                writer.append(
                    SubmitJob(
                        kind: writer.number(of: "text"), tenant: tenant, index: 0, count: 2, priority: 0, attempts: 1),
                    options: buffer.bytes, payload: [UInt8](repeating: 0xAB, count: 3).span.bytes)
                let reference = #"{"url":"file:ab/cd","size":70000,"sha256":"00"}"#
                writer.append(
                    SubmitJob(
                        kind: writer.number(of: "file"), tenant: tenant, index: 1, count: 2, priority: 9, attempts: 100,
                        encoding: Encoding.object.rawValue),
                    options: none.span.bytes, payload: Array(reference.utf8).span.bytes)
                writer.append(
                    SubmitJob(kind: writer.number(of: "text"), tenant: tenant), options: none.span.bytes,
                    payload: none.span.bytes)
            }),
        Sample(
            "submit of a request with a delay",
            bytes: submit(notify: false) { writer in
                var options = JobOptions()
                options.userKey = Array("reminder".utf8)
                options.runAt = 1_764_000_030_000_000
                options.delay = 30_000_000
                var buffer = ByteBuffer()
                options.write(to: &buffer)
                writer.append(
                    SubmitJob(kind: writer.number(of: "text"), tenant: writer.number(of: "default")),
                    options: buffer.bytes, payload: none.span.bytes)
            }),
        Sample(
            "submit of a unique request with dependencies",
            bytes: submit(notify: false) { writer in
                let tenant = writer.number(of: "default")
                for index in 0..<UInt16(4) {
                    var options = JobOptions()
                    if index == 0 { options.unique = UniqueRule(key: Array("daily".utf8), seconds: 86_400) }
                    if index == 3 {
                        options.after = [
                            JobDependency(on: 0, failsDependant: true), JobDependency(on: 1, failsDependant: true),
                            JobDependency(on: 2, isInput: true),
                        ]
                    }
                    var buffer = ByteBuffer()
                    options.write(to: &buffer)
                    writer.append(
                        SubmitJob(kind: writer.number(of: "text"), tenant: tenant, index: index, count: 4),
                        options: buffer.bytes, payload: none.span.bytes)
                }
            }),
    ]

    private static func submit(notify: Bool, _ write: (inout SubmitWriter) -> Void) -> [UInt8] {
        var writer = SubmitWriter()
        write(&writer)
        var message = writer.finish(notify: notify)
        SubmitMessage.setFirstSequence(42, in: &message)
        SubmitMessage.setStamp(stamp, in: &message)
        return message
    }

    private static let answers = [
        Sample("accepted") {
            Header(.accepted, recordLength: AcceptedRun.size, stamp: stamp, count: 3).write(to: &$0)
            AcceptedRun(sequence: 42, firstID: id, requests: 3, jobsEach: 2, repeated: false).write(to: &$0)
            AcceptedRun(sequence: 45, firstID: after(4_096), requests: 1, jobsEach: 1, repeated: true).write(to: &$0)
            var duplicate = AcceptedRun(sequence: 46, firstID: id, requests: 1, jobsEach: 2, repeated: false)
            duplicate.duplicate = true
            duplicate.write(to: &$0)
        },
        Sample("refused") {
            Header(.refused, recordLength: RefusedRun.size, stamp: stamp, count: 2).write(to: &$0)
            RefusedRun(
                sequence: 46, requests: 500, error: WireError(.busy, "too many jobs wait"), retryAfterMilliseconds: 100
            ).write(to: &$0)
            RefusedRun(
                sequence: 42, requests: 1, error: WireError(.keyConflict, "the key has another content"),
                retryAfterMilliseconds: 0
            ).write(to: &$0)
        },
    ]

    private static let questions = [
        Sample("await") {
            Header(.await, recordLength: AwaitRecord.size, stamp: stamp, count: 3).write(to: &$0)
            AwaitRecord(id, isRequest: true, waits: true).write(to: &$0)
            AwaitRecord(after(1), isRequest: false, waits: true).write(to: &$0)
            AwaitRecord(after(2), isRequest: false, waits: false).write(to: &$0)
        },
        Sample("results") {
            Header(.results, recordLength: ResultRecord.size, stamp: stamp, count: 4).write(to: &$0)
            var succeeded = ResultRecord(id: id, index: 0, count: 2, state: .succeeded)
            succeeded.attempts = 1
            succeeded.ended = 1_764_000_000_123_456
            writeResult(succeeded, kind: "text", body: Array(#"{"language":"en"}"#.utf8), to: &$0)
            var dead = ResultRecord(id: after(1), index: 1, count: 2, state: .dead)
            dead.attempts = 3
            dead.losses = 1
            dead.ended = 1_764_000_001_000_000
            writeResult(dead, kind: "audio", body: error("no_speech", "nothing is heard"), to: &$0)
            var running = ResultRecord(id: after(9), state: .running)
            running.attempts = 2
            writeResult(running, kind: "file", body: [], to: &$0)
            writeResult(ResultRecord(id: after(10), state: nil), kind: "", body: [], to: &$0)
        },
        Sample("cancel") {
            Header(.cancel, recordLength: CancelRecord.size, stamp: stamp, count: 2).write(to: &$0)
            CancelRecord(id, isRequest: true).write(to: &$0)
            CancelRecord(after(3), isRequest: false).write(to: &$0)
        },
        Sample("cancelled") {
            Header(.cancelled, recordLength: CancelRecord.size, stamp: stamp, count: 2).write(to: &$0)
            CancelRecord(id, isRequest: true, jobs: 2).write(to: &$0)
            CancelRecord(after(3), isRequest: false, jobs: 0).write(to: &$0)
        },
        Sample("status") { Bare.write(.status, stamp: stamp, to: &$0) },
        Sample("explain") {
            Header(.explain, recordLength: Explain.recordSize, stamp: stamp, count: 2).write(to: &$0)
            Explain.write(id, to: &$0)
            Explain.write(after(1), to: &$0)
        },
        Sample("explanations") {
            Header(.explanations, recordLength: Explanation.size, stamp: stamp, count: 2).write(to: &$0)
            Explanation(
                id, state: .queued, reason: .kindRate, until: 1_764_000_000_500_000,
                detail: "kind text starts at its rate"
            ).write(to: &$0)
            Explanation(after(1), state: nil, reason: .none).write(to: &$0)
        },
        Sample("status reply") {
            StatusReply.write(Array(#"{"queued":3}"#.utf8).span.bytes, stamp: stamp, to: &$0)
        },
    ]

    private static let orders = [
        Sample("order to pause a kind") {
            var order = Order(.pause, number: 1, who: "mira@ops")
            order.filter.kind = "audio"
            order.note = "the model is broken"
            order.write(to: &$0, stamp: stamp)
        },
        Sample("order to cancel by a filter, dry") {
            var order = Order(.cancel, number: 2, who: "mira@ops")
            order.isDryRun = true
            order.filter.kind = "text"
            order.filter.tenant = "müller"
            order.filter.tags = ["nightly", "eu"]
            order.filter.state = .queued
            order.filter.worker = "wörker-1/9"
            order.filter.requests = [id]
            order.filter.jobs = [after(7), after(8)]
            order.write(to: &$0, stamp: stamp)
        },
        Sample("order to resume everything") {
            var order = Order(.resume, number: 3, who: "mira@ops")
            order.filter.everything = true
            order.write(to: &$0, stamp: stamp)
        },
        Sample("order to retry") {
            var order = Order(.retry, number: 4, who: "mira@ops")
            order.filter.jobs = [id]
            order.write(to: &$0, stamp: stamp)
        },
        Sample("order reply") {
            var reply = OrderReply(number: 2)
            reply.reached = 10_000
            reply.hasMore = true
            reply.isRepeated = true
            reply.message = "done"
            reply.write(to: &$0, stamp: stamp)
        },
        Sample("order reply of a refused order") {
            OrderReply(number: 5, WireError(.unknown, "no worker of that name is here")).write(to: &$0, stamp: stamp)
        },
    ]

    private static let work = [
        Sample("credit") { Credit.write(64, stamp: stamp, to: &$0) },
        Sample("leases") {
            Header(.leases, recordLength: LeaseRecord.size, stamp: stamp, count: 2).write(to: &$0)
            LeaseRecord(
                id: id, token: 1_001, runLimitMilliseconds: 0, payloadLength: 5, attempt: 1, kind: 0, encoding: 0
            ).write(to: &$0)
            $0.append("hello")
            LeaseRecord(
                id: after(1), token: 1_002, runLimitMilliseconds: 30_000, payloadLength: 2, attempt: 3, kind: 1,
                encoding: 1
            ).write(to: &$0)
            $0.append("{}")
        },
        Sample("leases with inputs") {
            Header(.leases, recordLength: LeaseRecord.size, stamp: stamp, count: 1).write(to: &$0)
            var lease = LeaseRecord(
                id: after(3), token: 1_003, runLimitMilliseconds: 0, payloadLength: 2, attempt: 1, kind: 0, encoding: 0)
            lease.inputs = 2
            lease.write(to: &$0)
            $0.append("hi")
            LeaseInput(index: 0, encoding: .bytes, body: Array("one".utf8)).write(to: &$0)
            LeaseInput(index: 2, encoding: .object, body: Array("{}".utf8)).write(to: &$0)
        },
        Sample("outcomes") {
            OutcomeRecord.begin(credit: 64, stamp: stamp, to: &$0)
            var succeeded = OutcomeRecord(id: id, token: 1_001, ending: .succeeded)
            succeeded.ranMicroseconds = 1_500
            succeeded.agoMicroseconds = 20
            succeeded.bodyLength = 2
            succeeded.write(to: &$0)
            $0.append("ok")
            var failed = OutcomeRecord(id: after(1), token: 1_002, ending: .failed)
            let body = error("timeout", "took too long")
            failed.ranMicroseconds = 30_000_000
            failed.retryAfterMilliseconds = 5_000
            failed.bodyLength = UInt32(body.count)
            failed.retryable = true
            failed.write(to: &$0)
            $0.append(body)
            OutcomeRecord(id: after(2), token: 1_003, ending: .returned).write(to: &$0)
            Header.setCount(3, in: &$0)
        },
        Sample("durable") { writeTokens(.durable, [TokenRecord(id, token: 1_001)], to: &$0) },
        Sample("stale") { writeTokens(.stale, [TokenRecord(id, token: 1_001, reason: .notHeld)], to: &$0) },
        Sample("stale of a journal incarnation that was left") {
            var former = stamp
            former.incarnation -= 1
            writeTokens(.stale, [TokenRecord(id, token: 1_001, reason: .notHeld)], stamp: former, to: &$0)
        },
        Sample("claim") {
            writeTokens(
                .claim, [TokenRecord(id, token: 1_001, running: true), TokenRecord(after(1), token: 1_002)], to: &$0)
        },
        Sample("revoke") { writeTokens(.revoke, [TokenRecord(id, token: 1_001, reason: .cancelled)], to: &$0) },
        Sample("offer again") { Bare.write(.offerAgain, stamp: stamp, to: &$0) },
        Sample("drain") { Bare.write(.drain, stamp: stamp, to: &$0) },
        Sample("kept") { writeTokens(.kept, [TokenRecord(id, token: 1_001, running: true)], to: &$0) },
    ]

    private static let progress = [
        Sample("await that follows") {
            Header(.await, recordLength: AwaitRecord.size, stamp: stamp, count: 1).write(to: &$0)
            AwaitRecord(id, isRequest: true, waits: true, follows: true).write(to: &$0)
        },
        Sample("progress") {
            Header(.progress, recordLength: ProgressRecord.size, stamp: stamp, count: 2).write(to: &$0)
            writeProgress(
                after(1), attempt: 2, index: 1, fraction: 0.25, "25 s transcribed", offset: 70_000, "hé", to: &$0)
            writeProgress(id, attempt: 1, fraction: nil, "", offset: 12, "", to: &$0)
        },
        Sample("follow") { writeTokens(.follow, [TokenRecord(id, token: 1_001)], to: &$0) },
        Sample("report") {
            Header(.report, recordLength: ProgressRecord.size, stamp: stamp, count: 1).write(to: &$0)
            writeProgress(id, fraction: 1, "", offset: 0, "one token", to: &$0)
        },
        Sample("checkpoint") {
            Header(.checkpoint, recordLength: CheckpointRecord.size, stamp: stamp, count: 1).write(to: &$0)
            CheckpointRecord(id, token: 1_001, length: 3).write(to: &$0)
            $0.append([1, 0, 0xFF])
        },
        Sample("checkpointed") { writeTokens(.checkpointed, [TokenRecord(id, token: 1_001)], to: &$0) },
        Sample("lease of a job that is followed, has a checkpoint and names a key") {
            Header(.leases, recordLength: LeaseRecord.size, stamp: stamp, count: 1).write(to: &$0)
            var lease = LeaseRecord(
                id: id, token: 1_002, runLimitMilliseconds: 0, payloadLength: 2, attempt: 2, kind: 0, encoding: 0)
            lease.isFollowed = true
            lease.hasCheckpoint = true
            lease.hasAffinity = true
            lease.write(to: &$0)
            $0.append([7, 8])
            $0.append(UInt32(1))
            $0.append([9])
            $0.append(UInt8(4))
            $0.append("tiny")
        },
        Sample("leases of jobs that belong to a trace, one names a key too") {
            Header(.leases, recordLength: LeaseRecord.size, stamp: stamp, count: 2).write(to: &$0)
            for hasAffinity in [false, true] {
                var lease = LeaseRecord(
                    id: id, token: hasAffinity ? 1_004 : 1_003, runLimitMilliseconds: 0, payloadLength: 2, attempt: 1,
                    kind: 0, encoding: 0)
                lease.hasAffinity = hasAffinity
                lease.hasTrace = true
                lease.write(to: &$0)
                $0.append([7, 8])
                if hasAffinity {
                    $0.append(UInt8(4))
                    $0.append("tiny")
                }
                if let trace {
                    LeaseTrace(context: trace, request: id, waitedMicroseconds: 1_500, tenant: "müller").write(to: &$0)
                }
            }
        },
    ]

    private static let trace = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    private static let events = [
        Sample("events of a commit") {
            Header(
                .events, fields: EventsHead.size, recordLength: EventRecord.size,
                stamp: SessionStamp(incarnation: stamp.incarnation, epoch: 7), count: 3
            ).write(to: &$0)
            var head = EventsHead(batch: 41, after: 38, first: 0, total: 3, at: 1_764_000_000_000_000, shard: 3)
            head.names = 3
            head.write(to: &$0)
            EventRecord(
                .jobLeased, id: id.rawValue, request: id.rawValue - 1, at: head.at, kind: 0, tenant: 1, worker: 2,
                number: 2, index: 1
            ).write(to: &$0)
            EventRecord(
                .jobSucceeded, id: id.rawValue + 9, request: id.rawValue + 8, at: head.at - 120, kind: 0, tenant: 1,
                worker: 2, number: 1, index: 1, ending: .succeeded
            ).write(to: &$0)
            EventRecord(
                .requestCompleted, id: id.rawValue + 8, request: id.rawValue + 8, at: head.at, kind: 0, tenant: 1,
                number: 2
            ).write(to: &$0)
            for name in ["text", "acme", "wörker-1/9"] {
                $0.append(UInt8(name.utf8.count))
                $0.append(name)
            }
        },
        Sample("where the event stream stands") {
            Header(
                .events, fields: EventsHead.size, recordLength: EventRecord.size,
                stamp: SessionStamp(incarnation: stamp.incarnation, epoch: 7)
            ).write(to: &$0)
            EventsHead(batch: 44, after: 41, at: 1_764_000_001_000_000, shard: 3).write(to: &$0)
        },
        Sample("events of workers") {
            Header(
                .workerEvents, fields: WorkerEventRecord.fields, recordLength: WorkerEventRecord.size,
                stamp: SessionStamp(incarnation: stamp.incarnation, epoch: 7), count: 2
            ).write(to: &$0)
            $0.append(UInt64(5))
            WorkerEventRecord(.workerJoined, incarnation: 9, at: 1_764_000_000_000_000, slots: 4, name: "wörker-1")
                .write(to: &$0)
            WorkerEventRecord(.workerLost, incarnation: 9, at: 1_764_000_009_000_000, slots: 4, name: "wörker-1")
                .write(to: &$0)
        },
    ]

    private static func writeProgress(
        _ id: JobID, attempt: UInt16 = 0, index: UInt16 = 0, fraction: Double?, _ text: String, offset: UInt64,
        _ piece: String, to buffer: inout ByteBuffer
    ) {
        var record = ProgressRecord(id, token: 1_001, offset: offset)
        record.attempt = attempt
        record.index = index
        record.fraction = fraction.map(ProgressRecord.fraction)
        record.textLength = UInt16(text.utf8.count)
        record.pieceLength = UInt32(piece.utf8.count)
        record.write(to: &buffer)
        buffer.append(text)
        buffer.append(piece)
    }

    private static func writeResult(_ record: ResultRecord, kind: String, body: [UInt8], to buffer: inout ByteBuffer) {
        var record = record
        record.kindLength = UInt8(kind.utf8.count)
        record.bodyLength = UInt32(body.count)
        record.write(to: &buffer)
        buffer.append(kind)
        buffer.append(body)
    }

    private static func error(_ errorClass: String, _ message: String) -> [UInt8] {
        var buffer = ByteBuffer()
        ErrorText(errorClass, message).write(to: &buffer)
        return buffer.array()
    }

    private static func writeTokens(
        _ type: MessageType, _ records: [TokenRecord], stamp: SessionStamp = stamp, to buffer: inout ByteBuffer
    ) {
        Header(type, recordLength: TokenRecord.size, stamp: stamp, count: records.count).write(to: &buffer)
        for record in records { record.write(to: &buffer) }
    }
}
