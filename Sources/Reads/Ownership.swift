extension JournalReader {
    /// Which of these jobs, and which of these requests with all of their jobs, are these tenants'.
    package borrowing func owned(
        jobs: [UInt64], requests: [UInt64], by tenants: [String]
    ) throws(ReadError) -> (jobs: Set<UInt64>, requests: Set<UInt64>) {
        let names = tenants.sqlArray
        let own = try ids(
            """
            SELECT j.id FROM statex.jobs j JOIN statex.names t ON t.number = j.tenant
            WHERE j.id = ANY ($1::bigint[]) AND t.name = ANY ($2::text[])
            """, jobs, names)
        let whole = try ids(
            """
            SELECT f.id FROM statex.jobs f
            WHERE f.id = ANY ($1::bigint[]) AND NOT EXISTS (
                SELECT FROM statex.jobs j JOIN statex.names t ON t.number = j.tenant
                WHERE j.id >= f.id AND j.id < f.id + ((f.opts >> 12) & 8191) AND t.name <> ALL ($2::text[]))
            """, requests, names)
        return (own, whole)
    }

    private borrowing func ids(_ sql: String, _ wanted: [UInt64], _ names: String?) throws(ReadError) -> Set<UInt64> {
        guard !wanted.isEmpty, names != nil else { return [] }
        let array = "{" + wanted.map(String.init).joined(separator: ",") + "}"
        return Set(try rows(sql, [array, names]).compactMap { $0.first?.flatMap { UInt64($0) } })
    }
}
