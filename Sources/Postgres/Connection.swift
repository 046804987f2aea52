import CLibPQ
import Glibc

/// One connection to Postgres, used by one thread at a time: it is not copyable.
package struct Connection: ~Copyable {
    let pointer: OpaquePointer

    /// Connects, waiting at most so long.
    /// - Parameter url: a libpq connection URL or keyword string.
    package init(_ url: String, name: String, timeoutSeconds: Int = 5) throws(PostgresError) {
        // Dead links are noticed on both sides: see the pitfalls of half-open connections in docs/operations.md.
        let settings: [(String, String)] = [
            ("dbname", url), ("application_name", name), ("connect_timeout", String(timeoutSeconds)),
            ("keepalives_idle", "10"), ("keepalives_interval", "3"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "10000"), ("client_encoding", "UTF8"),
        ]
        var keys: [UnsafePointer<CChar>?] = settings.map { UnsafePointer(strdup($0.0)) } + [nil]
        var values: [UnsafePointer<CChar>?] = settings.map { UnsafePointer(strdup($0.1)) } + [nil]
        defer {
            for key in keys { free(UnsafeMutableRawPointer(mutating: key)) }
            for value in values { free(UnsafeMutableRawPointer(mutating: value)) }
        }
        guard let pointer = PQconnectdbParams(&keys, &values, 1) else {
            throw PostgresError(doing: "connect", state: nil, message: "out of memory")
        }
        guard PQstatus(pointer) == CONNECTION_OK else {
            let message = Self.trimmed(PQerrorMessage(pointer))
            PQfinish(pointer)
            throw PostgresError(doing: "connect", state: nil, message: message)
        }
        self.pointer = pointer
    }

    deinit { PQfinish(pointer) }

    package var backendPID: Int32 { PQbackendPID(pointer) }
    package var serverVersion: Int32 { PQserverVersion(pointer) }
    /// The socket, to be polled beside others.
    package var descriptor: Int32 { PQsocket(pointer) }

    /// Runs SQL that takes no parameters; several statements may stand in one text.
    package borrowing func run(_ sql: String, doing: String) throws(PostgresError) {
        let result = try Result(PQexec(pointer, sql), doing: doing, connection: pointer)
        _ = consume result
    }

    /// Runs one statement with text parameters and gives its rows, in text.
    package borrowing func query(_ sql: String, _ parameters: [String?] = [], doing: String) throws(PostgresError)
        -> Result
    {
        try query(sql, parameters, binary: false, doing: doing)
    }

    /// The same, with the rows in binary: for bytes, and for many numbers.
    package borrowing func queryBinary(_ sql: String, _ parameters: [String?] = [], doing: String) throws(PostgresError)
        -> Result
    {
        try query(sql, parameters, binary: true, doing: doing)
    }

    /// The same of a statement that was prepared, with the rows in text.
    package borrowing func query(prepared name: String, _ parameters: [String?], doing: String) throws(PostgresError)
        -> Result
    {
        let raw = withTexts(parameters) { PQexecPrepared(pointer, name, Int32($0.count), &$0, nil, nil, 0) }
        return try Result(raw, doing: doing, connection: pointer)
    }

    private borrowing func query(_ sql: String, _ parameters: [String?], binary: Bool, doing: String)
        throws(PostgresError) -> Result
    {
        let raw = withTexts(parameters) {
            PQexecParams(pointer, sql, Int32($0.count), nil, &$0, nil, nil, binary ? 1 : 0)
        }
        return try Result(raw, doing: doing, connection: pointer)
    }

    private borrowing func withTexts(
        _ texts: [String?], _ body: (inout [UnsafePointer<CChar>?]) -> OpaquePointer?
    ) -> OpaquePointer? {
        var values: [UnsafePointer<CChar>?] = texts.map { $0.map { UnsafePointer(strdup($0)) } }
        defer { for value in values { free(UnsafeMutableRawPointer(mutating: value)) } }
        return body(&values)
    }

    package borrowing func prepare(_ name: String, _ sql: String) throws(PostgresError) {
        let result = try Result(PQprepare(pointer, name, sql, 0, nil), doing: "prepare \(name)", connection: pointer)
        _ = consume result
    }

    static func trimmed(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "" }
        var message = String(cString: text)
        while message.last?.isWhitespace == true { message.removeLast() }
        return message
    }
}

/// The answer to one statement.
package struct Result: ~Copyable {
    let pointer: OpaquePointer

    /// Takes an answer over, or throws what it says.
    init(_ raw: OpaquePointer?, doing: String, connection: OpaquePointer) throws(PostgresError) {
        guard let raw else {
            throw PostgresError(doing: doing, state: nil, message: Connection.trimmed(PQerrorMessage(connection)))
        }
        switch PQresultStatus(raw) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: pointer = raw
        case PGRES_PIPELINE_ABORTED:
            PQclear(raw)
            throw PostgresError(doing: doing, state: "25P02", message: "skipped after an earlier error")
        default:
            let state = PQresultErrorField(raw, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
            let primary = PQresultErrorField(raw, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
            let message = primary ?? Connection.trimmed(PQresultErrorMessage(raw))
            PQclear(raw)
            throw PostgresError(doing: doing, state: state, message: message)
        }
    }

    deinit { PQclear(pointer) }

    package var rows: Int { Int(PQntuples(pointer)) }
    package var columns: Int { Int(PQnfields(pointer)) }
    /// For instance `COMMIT` or `INSERT 0 5`.
    package var tag: String { String(cString: PQcmdStatus(pointer)) }

    package borrowing func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(pointer, Int32(row), Int32(column)) == 1
    }

    /// A column in text; empty for NULL.
    package borrowing func text(_ row: Int, _ column: Int) -> String {
        String(cString: PQgetvalue(pointer, Int32(row), Int32(column)))
    }

    package borrowing func integer(_ row: Int, _ column: Int) -> Int64 { Int64(text(row, column)) ?? 0 }

    /// The raw bytes of a column of a binary answer; empty for NULL.
    package borrowing func withBytes<R, E: Error>(_ row: Int, _ column: Int, _ body: (borrowing RawSpan) throws(E) -> R)
        throws(E) -> R
    {
        let length = Int(PQgetlength(pointer, Int32(row), Int32(column)))
        let bytes = UnsafeRawBufferPointer(start: PQgetvalue(pointer, Int32(row), Int32(column)), count: length)
        return try body(bytes.bytes)
    }

    /// A binary integer column (int2, int4 or int8); 0 for NULL.
    package borrowing func binaryInteger(_ row: Int, _ column: Int) -> Int64 {
        withBytes(row, column) { bytes in
            switch bytes.byteCount {
            case 8: Int64(bigEndian: bytes.unsafeLoadUnaligned(as: Int64.self))
            case 4: Int64(Int32(bigEndian: bytes.unsafeLoadUnaligned(as: Int32.self)))
            case 2: Int64(Int16(bigEndian: bytes.unsafeLoadUnaligned(as: Int16.self)))
            default: 0
            }
        }
    }
}
