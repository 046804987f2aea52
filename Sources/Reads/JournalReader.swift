// What people are shown of the journal: plain rows of its views, and JSON of them.
//
// The command line and the gateway ask here. Nothing here writes: orders go to the scheduler. Every read takes a
// `Viewer`, so that what is another tenant's stays hidden in one place.

import StatexPostgres

/// One connection that reads, used by one thread at a time.
package struct JournalReader: ~Copyable {
    private let connection: Connection
    private let statements = Statements()
    private let errand = Errand()
    let memory = OpenPages.Memory()

    /// What the connection has prepared, by its text, and how it plans.
    private final class Statements {
        var names: [String: String] = [:]
        var planning = Planning.automatic
    }

    /// What it reads for.
    private final class Errand {
        var isWanted: () -> Bool = { true }
    }

    private enum Planning: String {
        /// For the parameters at hand.
        case automatic = "auto"
        /// Once, for any.
        case generic = "force_generic_plan"
    }

    /// - Parameter name: for the database's list of its sessions.
    /// - Parameter limit: how long one statement may take.
    package init(url: String, name: String, limit: Duration = .seconds(60)) throws(ReadError) {
        do throws(PostgresError) { connection = try Self.connect(url, name, limit) } catch {
            throw .unreachable(error.description)
        }
    }

    private static func connect(_ url: String, _ name: String, _ limit: Duration) throws(PostgresError) -> Connection {
        let connection = try Connection(url, name: "statex \(name)")
        // A list is never worth holding anything up.
        try connection.run(
            """
            SET default_transaction_read_only = on; SET statement_timeout = '\(limit.components.seconds)s'; SET datestyle = 'ISO';
            SET timezone = 'UTC'; SET search_path = pg_catalog; SET jit = off
            """, doing: "settings")
        return connection
    }

    /// A read of many statements ends between two of them when nobody waits for it any more: who waits next needs the
    /// connection.
    package borrowing func read(while isWanted: @escaping () -> Bool) { errand.isWanted = isWanted }

    private borrowing func checkWanted() throws(ReadError) {
        guard errand.isWanted() else { throw .failed("nobody waits for the answer any more") }
    }

    /// A row: a text or nil for each column.
    package typealias Row = [String?]

    borrowing func rows(_ sql: String, _ parameters: [String?] = []) throws(ReadError) -> [Row] {
        try checkWanted()
        do throws(PostgresError) {
            try plan(.automatic)
            return Self.rows(of: try connection.query(sql, parameters, doing: "ask the journal"))
        } catch {
            throw ReadError(error)
        }
    }

    /// The same of a statement that is asked again and again and finds some rows by their keys: it is planned once a
    /// connection. (To plan a look at one job takes three times as long as to run it.)
    borrowing func prepared(_ sql: String, _ parameters: [String?]) throws(ReadError) -> [Row] {
        try checkWanted()
        do throws(PostgresError) {
            try plan(.generic)
            return Self.rows(
                of: try connection.query(prepared: try name(of: sql), parameters, doing: "ask the journal"))
        } catch {
            throw ReadError(error)
        }
    }

    private borrowing func plan(_ planning: Planning) throws(PostgresError) {
        guard statements.planning != planning else { return }
        try connection.run("SET plan_cache_mode = \(planning.rawValue)", doing: "settings")
        statements.planning = planning
    }

    private borrowing func name(of sql: String) throws(PostgresError) -> String {
        if let known = statements.names[sql] { return known }
        let name = "read_\(statements.names.count)"
        try connection.prepare(name, sql)
        statements.names[sql] = name
        return name
    }

    private static func rows(of result: borrowing Result) -> [Row] {
        (0..<result.rows).map { row in
            (0..<result.columns).map { result.isNull(row, $0) ? nil : result.text(row, $0) }
        }
    }

    /// The bytes of one column of the first row, and the integers of the others before it; nil without a row.
    borrowing func bytes(_ sql: String, _ parameters: [String?]) throws(ReadError) -> (
        numbers: [Int64], bytes: [UInt8]
    )? {
        try checkWanted()
        do throws(PostgresError) {
            try plan(.automatic)
            let rows = try connection.queryBinary(sql, parameters, doing: "ask the journal")
            guard rows.rows > 0 else { return nil }
            let last = rows.columns - 1
            let numbers = (0..<last).map { rows.binaryInteger(0, $0) }
            let bytes = rows.withBytes(0, last) { span in span.withUnsafeBytes { Array($0) } }
            return (numbers, bytes)
        } catch {
            throw ReadError(error)
        }
    }

    /// Whether the journal is there at all.
    package borrowing func check() throws(ReadError) { _ = try rows("SELECT FROM statex.journal") }
}

extension Sequence<String> {
    /// As an array in SQL; nil if there are none, which means any.
    var sqlArray: String? {
        let items = map { item in
            "\"" + item.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return items.isEmpty ? nil : "{" + items.joined(separator: ",") + "}"
    }
}
