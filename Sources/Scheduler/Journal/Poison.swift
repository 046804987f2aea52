import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Finds the rows whose content Postgres refuses, and takes them out of a commit, so that one of them
/// never stops the journal.
///
/// A job that is refused keeps its row, without its payload, and ends as failed with the class `refused`.
/// A result that is refused makes its job fail the same way. Content is checked before it comes here, so
/// this is for what nobody thought of: a constraint of the operator's, a limit of the server's.
struct Poison: ~Copyable {
    private let connection: Link
    private var writer: CommitWriter

    init(_ connection: Link, owner: Owner) {
        self.connection = connection
        writer = CommitWriter(owner: owner)
    }

    /// - Returns: how many rows were taken out; 0: the content of jobs and results is not at fault.
    mutating func remove(from batch: CommitBatch, because error: PostgresError) throws(PostgresError) -> Int {
        let jobs = try refused(in: 0..<batch.jobs.count) { (writer: inout CommitWriter, range) in
            writer.encodeTrial(jobs: range, of: batch)
        }
        let results = try refused(in: 0..<batch.results.count) { (writer: inout CommitWriter, range) in
            writer.encodeTrial(results: range, of: batch)
        }
        let text = ErrorText("refused", "the journal refused the content: \(error.message)")
        for index in jobs { batch.refuseJob(at: index, text) }
        for index in results { batch.refuseResult(at: index, text) }
        return jobs.count + results.count
    }

    /// Halves a range until each refused row stands alone.
    private mutating func refused(
        in range: Range<Int>, _ encode: (inout CommitWriter, Range<Int>) -> Void
    ) throws(PostgresError) -> [Int] {
        guard !range.isEmpty else { return [] }
        encode(&writer, range)
        guard try writer.isRefused(on: connection.connection) else { return [] }
        guard range.count > 1 else { return [range.lowerBound] }
        let middle = range.lowerBound + range.count / 2
        return try refused(in: range.lowerBound..<middle, encode) + refused(in: middle..<range.upperBound, encode)
    }
}

extension CommitBatch {
    /// The job at `index` ends as failed, and its lease does not leave.
    func refuseJob(at index: Int, _ text: ErrorText) {
        let id = jobs[index].id
        jobs[index].payloadLength = 0
        options.removeAll { $0.id == id }
        jobs[index].opts &= ~(1 << 45)
        leases.removeAll { $0.id == id }
        // It may have been cancelled before its lease left: it ends once.
        outcomes.removeAll { $0.id == id }
        outcomes.append(
            OutcomeRow(
                id: id, token: 0, started: 0, ended: 0, retry: -1, ending: .failed, final: .failed,
                result: Int32(results.count), slot: OutcomeRow.refusedAtCommit))
        results.append(
            ResultRow(
                job: id, token: 0, ending: .failed, encoding: Encoding.bytes.rawValue, start: resultBytes.count,
                length: text.length))
        text.write(to: &resultBytes)
    }

    /// The outcome that has this result becomes a failure.
    func refuseResult(at index: Int, _ text: ErrorText) {
        results[index].ending = .failed
        results[index].encoding = Encoding.bytes.rawValue
        results[index].start = resultBytes.count
        results[index].length = text.length
        text.write(to: &resultBytes)
        for place in outcomes.indices where outcomes[place].result == Int32(index) {
            outcomes[place].ending = .failed
            if outcomes[place].final == .succeeded { outcomes[place].final = .failed }
        }
    }
}
