import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Who commits: it stands in each chain row.
package struct Owner: Sendable {
    /// Random, one a scheduler process.
    package let number: UInt64
    /// Host and process, for people.
    package let name: String

    package init(number: UInt64, name: String) {
        self.number = number
        self.name = name
    }
}

/// Turns a commit into one pipeline of prepared statements.
struct CommitWriter: ~Copyable {
    private var writer = ParameterWriter()
    private let owner: Owner

    init(owner: Owner) { self.owner = owner }

    /// Encodes the whole commit; it may then be sent any number of times, byte for byte the same.
    /// - Parameter takesOver: it is the first of an epoch.
    mutating func encode(_ batch: CommitBatch, takesOver: Bool = false) {
        writer.removeAll()
        batch.leases.sortIfNeeded { $0.id }
        batch.outcomes.sortIfNeeded { $0.id }
        writer.begin("begin")
        chain(batch, takesOver: takesOver)
        for row in batch.names { name(row, batch.head) }
        jobs(batch, batch.jobs.indices)
        leases(batch)
        outcomes(batch)
        results(batch, batch.results.indices)
        checkpoints(batch)
        submits(batch)
        for row in batch.keys { key(row, batch.head) }
        for row in batch.actions { action(row, batch.head) }
        for row in batch.schedules { schedule(row, batch.head) }
        writer.begin("commit")
    }

    /// Encodes some of a commit's jobs alone, in a transaction that is rolled back.
    mutating func encodeTrial(jobs range: Range<Int>, of batch: CommitBatch) {
        writer.removeAll()
        writer.begin("begin")
        jobs(batch, range)
        writer.begin("rollback")
    }

    /// The same for results.
    mutating func encodeTrial(results range: Range<Int>, of batch: CommitBatch) {
        writer.removeAll()
        writer.begin("begin")
        results(batch, range)
        writer.begin("rollback")
    }

    /// Sends a trial: whether Postgres refuses its content.
    borrowing func isRefused(on connection: borrowing Connection) throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            try send(on: connection, expecting: "ROLLBACK") { -1 }
            return false
        } catch {
            guard error.isDataError else { throw error }
            try connection.run("ROLLBACK", doing: "roll back")
            return true
        }
    }

    /// Sends what was encoded and waits for the answer. Only the tag `COMMIT` is success.
    borrowing func send(
        on connection: borrowing Connection, expecting expected: String = "COMMIT", deadline: () -> Int
    ) throws(PostgresError) {
        try connection.beginPipeline()
        var failure: PostgresError?
        do throws(PostgresError) {
            try writer.buffer.withUnsafeBytes { bytes throws(PostgresError) in
                for statement in writer.statements {
                    try connection.send(statement.name, statement.parameters, in: bytes)
                }
            }
            try connection.sync()
        } catch {
            throw error
        }
        var tag = ""
        while true {
            do throws(PostgresError) {
                guard let answer = try connection.nextAnswer(doing: "commit", deadline: deadline) else { break }
                tag = answer.tag
            } catch {
                // The first error says why; the rest of the pipeline only says that it was skipped.
                if failure == nil { failure = error }
                if error.state == nil && !error.isSkipped { throw failure ?? error }
            }
        }
        connection.endPipeline()
        if let failure { throw failure }
        guard tag == expected else {
            throw PostgresError(doing: "commit", state: "25P02", message: "the answer to \(expected) was \(tag)")
        }
    }

    private mutating func chain(_ batch: CommitBatch, takesOver: Bool) {
        let head = batch.head
        writer.begin("chain")
        writer.integer(Int16(head.shard))
        writer.integer(Int64(head.batch))
        writer.integer(Int64(bitPattern: head.incarnation))
        writer.integer(Int32(bitPattern: head.epoch))
        writer.integer(head.at)
        writer.integer(Int64(head.nextID))
        writer.integer(Int64(head.nextToken))
        writer.integer(Int32(bitPattern: head.nextName))
        writer.integer(Int64(bitPattern: owner.number))
        writer.integer(Int32(batch.jobs.count))
        writer.integer(Int32(batch.leases.count))
        writer.integer(Int32(batch.outcomes.count))
        writer.integer(Int32(batch.results.count))
        writer.integer(Int64(bitPattern: batch.checksum))
        if batch.pagesClosed.isEmpty { writer.null() } else { writer.int8s(batch.pagesClosed) { Int64($0) } }
        writer.text(takesOver ? owner.name : nil)
    }

    private mutating func name(_ row: CommitBatch.NameRow, _ head: CommitBatch.Head) {
        writer.begin("name")
        writer.integer(Int32(bitPattern: row.number))
        writer.integer(Int16(row.family.rawValue))
        writer.text(row.name)
        writer.integer(Int64(head.batch))
    }

    private mutating func jobs(_ batch: CommitBatch, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let rows = batch.jobs[range]
        writer.begin("jobs")
        writer.integer(Int64(batch.head.batch))
        writer.integer(batch.head.at)
        writer.int8s(rows) { Int64($0.id) }
        writer.int8s(rows) { Int64($0.opts) }
        writer.int4s(rows) { Int32(bitPattern: $0.kind) }
        writer.int4s(rows) { Int32(bitPattern: $0.tenant) }
        writer.byteas(rows, in: batch.payloads.buffer) { ($0.payloadStart, $0.payloadLength) }
        // Rows of options stand in the order of their jobs.
        let ids = batch.jobs[range.lowerBound].id...batch.jobs[range.upperBound - 1].id
        for row in batch.options where ids.contains(row.id) {
            writer.begin("options")
            writer.integer(Int64(row.id))
            writer.integer(Int64(batch.head.batch))
            writer.optional(row.options.runAt)
            writer.optional(row.options.deadline)
            writer.optional(row.options.runLimitMilliseconds.map { Int32(clamping: $0) })
            if row.options.tags.isEmpty { writer.null() } else { writer.texts(row.options.tags) }
            writer.text(row.options.traceparent?.description)
            if row.labels.isEmpty { writer.null() } else { writer.int4s(row.labels) { Int32(bitPattern: $0) } }
            writer.optional(row.retryOf.map { Int64($0) })
            writer.optional(row.request.map { Int64($0) })
            let after = row.options.after
            if after.isEmpty { writer.null() } else { writer.int2s(after) { Int16(bitPattern: $0.packed) } }
            writer.text(row.options.affinity)
            if let unique = row.options.unique { writer.bytes(unique.stored) } else { writer.null() }
        }
    }

    private mutating func leases(_ batch: CommitBatch) {
        Chunks.forEach(batch.leases) { rows, base in
            writer.begin("lease_chunk")
            chunkHead(batch.head, page: rows[rows.startIndex].id >> JobID.pageBits, base: base)
            writer.int2s(rows) { Int16($0.id & 0xFFF) }
            writer.int4s(rows) { Int32($0.token - base) }
            writer.int2s(rows) { Int16($0.attempt) }
            writer.int4s(rows) { Int32(bitPattern: $0.worker) }
        }
    }

    private mutating func outcomes(_ batch: CommitBatch) {
        let hasRetries = batch.outcomes.contains { $0.retry >= 0 }
        let most = hasRetries ? Chunks.entriesWithRetries : Chunks.entries
        Chunks.forEach(batch.outcomes, most: most) { rows, base in
            writer.begin("outcome_chunk")
            chunkHead(batch.head, page: rows[rows.startIndex].id >> JobID.pageBits, base: base)
            writer.integer(Int16(rows.count { $0.ending != .succeeded }))
            writer.integer(Int16(rows.count { $0.result >= 0 }))
            writer.int2s(rows) { Int16($0.id & 0xFFF) }
            writer.int4s(rows) { Int32($0.token - base) }
            writer.int2s(rows) { Int16($0.ends) }
            writer.floats(rows) { $0.started }
            writer.floats(rows) { $0.ended }
            if rows.contains(where: { $0.retry >= 0 }) {
                writer.floats(rows) { max($0.retry, 0) }
            } else {
                writer.null()
            }
        }
    }

    private mutating func chunkHead(_ head: CommitBatch.Head, page: UInt64, base: UInt64) {
        writer.integer(Int64(head.batch))
        writer.integer(Int64(page))
        writer.integer(Int64(base))
        writer.integer(head.at)
    }

    private mutating func results(_ batch: CommitBatch, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let rows = batch.results[range]
        writer.begin("results")
        writer.integer(Int64(batch.head.batch))
        writer.int8s(rows) { Int64($0.job) }
        writer.int8s(rows) { Int64($0.token) }
        writer.int2s(rows) { Int16($0.ending.rawValue) }
        writer.int2s(rows) { Int16($0.encoding) }
        writer.byteas(rows, in: batch.resultBytes) { ($0.start, $0.length) }
    }

    private mutating func checkpoints(_ batch: CommitBatch) {
        guard !batch.checkpoints.isEmpty else { return }
        let rows = batch.checkpoints[...]
        writer.begin("checkpoints")
        writer.integer(Int64(batch.head.batch))
        writer.integer(batch.head.at)
        writer.int8s(rows) { Int64($0.job) }
        writer.int8s(rows) { Int64($0.token) }
        writer.byteas(rows, in: batch.resultBytes) { ($0.start, $0.length) }
    }

    /// One row for each producer: its runs of this commit, by sequence.
    private mutating func submits(_ batch: CommitBatch) {
        guard !batch.submits.isEmpty else { return }
        batch.submits.sort {
            ($0.producer.high, $0.producer.low, $0.sequence) < ($1.producer.high, $1.producer.low, $1.sequence)
        }
        var start = 0
        while start < batch.submits.count {
            let producer = batch.submits[start].producer
            var end = start + 1
            while end < batch.submits.count, batch.submits[end].producer == producer { end += 1 }
            let rows = batch.submits[start..<end]
            writer.begin("submits")
            writer.integer(Int64(batch.head.batch))
            writer.uuid(producer)
            writer.integer(Int64(batch.submits[end - 1].sequence) + Int64(batch.submits[end - 1].count) - 1)
            writer.int8s(rows) { Int64($0.sequence) }
            writer.int4s(rows) { Int32(bitPattern: $0.count) }
            writer.int8s(rows) { Int64($0.firstID) }
            writer.int4s(rows) { Int32($0.jobsEach) }
            start = end
        }
    }

    private mutating func key(_ row: CommitBatch.KeyRow, _ head: CommitBatch.Head) {
        writer.begin("key")
        writer.integer(Int32(clamping: head.at / 86_400_000_000))
        writer.integer(Int32(bitPattern: row.tenant))
        writer.bytes(row.key)
        writer.bytes(row.digest)
        writer.integer(Int64(row.request))
        writer.integer(Int32(row.jobs))
        writer.integer(Int64(head.batch))
    }

    private mutating func action(_ row: CommitBatch.ActionRow, _ head: CommitBatch.Head) {
        writer.begin("action")
        writer.integer(Int64(head.batch))
        writer.integer(head.at)
        writer.text(row.action)
        writer.text(row.who)
        writer.int8s(row.ids) { Int64(bitPattern: $0) }
        writer.integer(Int32(bitPattern: row.reached))
        writer.text(row.filter)
        writer.text(row.note.isEmpty ? nil : row.note)
        if let sender = row.sender { writer.uuid(sender) } else { writer.null() }
        writer.optional(row.reply.map { Int64($0.number) })
        writer.text(row.reply?.message)
        writer.integer(Int32(row.reply?.hasMore == true ? 1 : 0))
    }

    private mutating func schedule(_ row: CommitBatch.ScheduleRow, _ head: CommitBatch.Head) {
        writer.begin("schedule")
        writer.text(row.schedule)
        writer.integer(row.due)
        writer.integer(Int64(row.job))
        writer.integer(Int64(head.batch))
    }
}
