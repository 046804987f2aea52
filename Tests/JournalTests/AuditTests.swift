import StatexReads
import Testing

extension JournalTests {
    @Suite("Audit trail")
    struct AuditTests {
        @Test(
            "Page by page each order is listed once, newest first, however many stand in one commit", arguments: 1...9)
        func pages(limit: Int) throws {
            let database = try JournalDatabase()
            // Commits of one, five, two and one orders.
            try database.run(
                """
                INSERT INTO statex.actions (batch, at, action, who, ids, reached)
                SELECT CASE WHEN n = 1 THEN 7 WHEN n < 7 THEN 9 WHEN n < 9 THEN 10 ELSE 20 END, n,
                    CASE WHEN n = 4 THEN 'drop' ELSE 'retry' END, 'w' || n, '{}', 0
                FROM generate_series(1, 9) AS n ORDER BY n
                """)
            let reader = try JournalReader(url: database.url, name: "test")
            func all(_ filter: AuditFilter) throws -> [String] {
                var found: [String] = []
                var next: String?
                for _ in 0..<10 {
                    let cursor = try next.map { try #require(AuditCursor($0)) }
                    let page = try reader.audit(filter, from: cursor, limit: limit, for: .everything)
                    #expect(page.rows.count <= limit)
                    found += page.rows.compactMap { $0[3] }
                    next = page.next
                    if next == nil { break }
                }
                return found
            }
            #expect(try all(AuditFilter()) == (1...9).reversed().map { "w\($0)" })
            var filter = AuditFilter()
            filter.action = "retry"
            #expect(try all(filter) == [9, 8, 7, 6, 5, 3, 2, 1].map { "w\($0)" })
            // A commit's number alone still means what is older than it.
            let older = try reader.audit(AuditFilter(), from: AuditCursor("10"), limit: 9, for: .everything)
            #expect(older.rows.compactMap { $0[3] } == (1...6).reversed().map { "w\($0)" })
        }
    }
}
