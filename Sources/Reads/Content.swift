import StatexProtocol

/// The bytes of a payload or a result, or the reference to them.
package struct Content: Sendable {
    package let encoding: Encoding
    package let bytes: [UInt8]
}

/// What came of asking for a content.
package enum ContentAnswer: Sendable {
    case found(Content)
    /// The job is there, and has none (yet).
    case none(JobState)
    /// There is no such job that the viewer sees.
    case noJob
}

extension JournalReader {
    /// The result of a job that succeeded.
    package borrowing func result(of id: JobID, for viewer: Viewer) throws(ReadError) -> ContentAnswer {
        // An outcome is recorded once: there is one result of a success.
        let found = try bytes(
            """
            SELECT r.encoding, r.body FROM statex.results r JOIN statex.all_jobs j ON j.id = r.job
            JOIN statex.names t ON t.number = j.tenant
            WHERE r.job = $1::bigint AND r.ending = 1 AND ($2::text IS NULL OR t.name = $2) LIMIT 1
            """, [id.description, viewer.tenant])
        if let content = found.flatMap(Self.content) { return .found(content) }
        guard let job = try job(id, for: viewer), let state = job.states.first else { return .noJob }
        return .none(state)
    }

    /// What was submitted with a job.
    package borrowing func payload(of id: JobID, for viewer: Viewer) throws(ReadError) -> ContentAnswer {
        let found = try bytes(
            """
            SELECT (j.opts >> 41) & 15, j.payload FROM statex.all_jobs j JOIN statex.names t ON t.number = j.tenant
            WHERE j.id = $1::bigint AND ($2::text IS NULL OR t.name = $2)
            """, [id.description, viewer.tenant])
        return found.flatMap(Self.content).map(ContentAnswer.found) ?? .noJob
    }

    private static func content(_ row: (numbers: [Int64], bytes: [UInt8])) -> Content? {
        row.numbers.first.flatMap(UInt8.init(exactly:)).flatMap(Encoding.init(rawValue:)).map {
            Content(encoding: $0, bytes: row.bytes)
        }
    }
}
