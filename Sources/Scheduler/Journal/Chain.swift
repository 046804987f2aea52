import StatexPostgres
import StatexSchedulerCore

/// The end of a shard's chain of commits.
struct ChainEnd: Sendable {
    var head: ChainHead
    var ownerNumber: UInt64
    var backendPID: Int32
    /// When the commit was made, in microseconds since 1970.
    var at: Int64
    /// From the first row of its epoch.
    var owner: String
}

enum Chain {
    /// The last row, or nil for a new journal.
    static func end(_ connection: borrowing Connection, shard: UInt8) throws(PostgresError) -> ChainEnd? {
        try row(connection, "WHERE c.shard = \(shard) ORDER BY c.batch DESC LIMIT 1")
    }

    static func row(_ connection: borrowing Connection, shard: UInt8, batch: UInt64) throws(PostgresError) -> ChainEnd?
    {
        try row(connection, "WHERE c.shard = \(shard) AND c.batch = \(batch)")
    }

    /// The number of the first commit that is kept.
    static func start(_ connection: borrowing Connection, shard: UInt8) throws(PostgresError) -> UInt64? {
        let rows = try connection.query(
            "SELECT batch FROM statex.commits WHERE shard = \(shard) ORDER BY batch LIMIT 1", doing: "read the chain")
        return rows.rows == 1 ? UInt64(rows.integer(0, 0)) : nil
    }

    /// The last row that an owner and the present chain have in common: one of its own, or of an epoch
    /// before its own.
    static func common(
        _ connection: borrowing Connection, shard: UInt8, owner: UInt64, before epoch: UInt32
    ) throws(PostgresError) -> ChainEnd? {
        try row(
            connection,
            """
            WHERE c.shard = \(shard) AND (c.owner_number = \(Int64(bitPattern: owner)) OR c.epoch < \(epoch))
            ORDER BY c.batch DESC LIMIT 1
            """)
    }

    private static func row(_ connection: borrowing Connection, _ which: String) throws(PostgresError) -> ChainEnd? {
        let rows = try connection.query(
            """
            SELECT c.batch, c.incarnation, c.epoch, c.next_id, c.next_token, c.next_name, c.owner_number, c.backend_pid,
                c.at
            FROM statex.commits c \(which)
            """, doing: "read the chain")
        guard rows.rows == 1 else { return nil }
        let epoch = UInt32(truncatingIfNeeded: rows.integer(0, 2))
        let head = ChainHead(
            batch: UInt64(rows.integer(0, 0)), incarnation: UInt64(bitPattern: rows.integer(0, 1)), epoch: epoch,
            nextID: UInt64(rows.integer(0, 3)), nextToken: UInt64(rows.integer(0, 4)),
            nextName: UInt32(truncatingIfNeeded: rows.integer(0, 5)))
        return ChainEnd(
            head: head, ownerNumber: UInt64(bitPattern: rows.integer(0, 6)),
            backendPID: Int32(truncatingIfNeeded: rows.integer(0, 7)), at: rows.integer(0, 8), owner: "epoch \(epoch)")
    }

    /// The incarnation of a journal without commits, given when it is first opened. Afterwards each chain
    /// row carries it, and `Adoption` appends another one.
    static func incarnation(_ connection: borrowing Connection, new: UInt64) throws(PostgresError) -> UInt64 {
        try connection.run(
            """
            INSERT INTO statex.journal (incarnation) SELECT \(Int64(bitPattern: new))
            WHERE NOT EXISTS (SELECT FROM statex.journal)
            """, doing: "journal incarnation")
        let rows = try connection.query(
            "SELECT incarnation FROM statex.journal ORDER BY created DESC LIMIT 1", doing: "journal incarnation")
        return UInt64(bitPattern: rows.integer(0, 0))
    }
}
