import CLibPQ
import Glibc

/// The binary parameters of one statement: where each stands in a buffer that outlives the call.
package struct Parameters: Sendable {
    /// Offset and length in the buffer; a negative length is NULL.
    package private(set) var ranges: [(offset: Int, length: Int)] = []

    package init() {}
    package mutating func removeAll() { ranges.removeAll(keepingCapacity: true) }
    package mutating func append(offset: Int, length: Int) { ranges.append((offset, length)) }
    package mutating func appendNull() { ranges.append((0, -1)) }
    package var count: Int { ranges.count }
}

extension Connection {
    /// Sends prepared statements without waiting for each, ends with a sync, and then reads every answer.
    package borrowing func beginPipeline() throws(PostgresError) {
        guard PQenterPipelineMode(pointer) == 1 else { throw failure("begin pipeline") }
    }

    package borrowing func endPipeline() { PQexitPipelineMode(pointer) }

    /// Queues one prepared statement with binary parameters that stand in `buffer`; its answer is binary.
    package borrowing func send(
        _ statement: StaticString, _ parameters: Parameters, in buffer: UnsafeRawBufferPointer
    ) throws(PostgresError) {
        let count = parameters.count
        let sent = withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: max(count, 1)) { values in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: max(count, 1)) { lengths in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: max(count, 1)) { formats in
                    for (index, range) in parameters.ranges.enumerated() {
                        let start = buffer.baseAddress?.advanced(by: range.offset).assumingMemoryBound(to: CChar.self)
                        values.initializeElement(at: index, to: range.length < 0 ? nil : start)
                        lengths.initializeElement(at: index, to: Int32(max(range.length, 0)))
                        formats.initializeElement(at: index, to: 1)
                    }
                    return PQsendQueryPrepared(
                        pointer, UnsafeRawPointer(statement.utf8Start).assumingMemoryBound(to: CChar.self),
                        Int32(count),
                        values.baseAddress, lengths.baseAddress, formats.baseAddress, 1)
                }
            }
        }
        guard sent == 1 else { throw failure("send") }
    }

    /// Marks the end of the pipeline and pushes everything out, reading meanwhile what comes back, so
    /// that neither side waits for the other with full buffers.
    package borrowing func sync() throws(PostgresError) {
        guard PQpipelineSync(pointer) == 1 else { throw failure("sync") }
        guard PQsetnonblocking(pointer, 1) == 0 else { throw failure("sync") }
        defer { PQsetnonblocking(pointer, 0) }
        while true {
            switch PQflush(pointer) {
            case 0: return
            case 1: try waitForSocket(Int16(POLLIN | POLLOUT), milliseconds: -1)
            default: throw failure("flush")
            }
        }
    }

    /// Reads the answer to the next statement of the pipeline.
    /// - Returns: nil at the sync that ends it.
    package borrowing func nextAnswer(doing: String, deadline: () -> Int = { -1 }) throws(PostgresError) -> Result? {
        while true {
            while PQisBusy(pointer) == 1 {
                try waitForSocket(Int16(POLLIN), milliseconds: deadline())
            }
            // A null ends the answers to one statement; the next belongs to the next statement.
            guard let raw = PQgetResult(pointer) else {
                if PQstatus(pointer) != CONNECTION_OK { throw failure(doing) }
                continue
            }
            if PQresultStatus(raw) == PGRES_PIPELINE_SYNC {
                PQclear(raw)
                return nil
            }
            return try Result(raw, doing: doing, connection: pointer)
        }
    }

    private borrowing func waitForSocket(_ events: Int16, milliseconds: Int) throws(PostgresError) {
        var item = pollfd(fd: PQsocket(pointer), events: events, revents: 0)
        let ready = poll(&item, 1, Int32(milliseconds))
        if ready < 0 && errno != EINTR { throw failure("poll") }
        if ready == 0 { throw PostgresError(doing: "wait", state: nil, message: "no answer within the limit") }
        if item.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0, PQconsumeInput(pointer) == 0 { throw failure("read") }
    }

    borrowing func failure(_ doing: String) -> PostgresError {
        PostgresError(doing: doing, state: nil, message: Self.trimmed(PQerrorMessage(pointer)))
    }
}
