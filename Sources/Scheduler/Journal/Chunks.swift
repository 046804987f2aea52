import StatexProtocol
import StatexSchedulerCore

/// Cuts leases and outcomes into chunks: entries of one page, few enough that the row is neither
/// compressed nor moved out of line.
enum Chunks {
    /// 100 outcomes with their times are a row of 1,776 bytes; Postgres acts from about 2,000.
    static let entries = 100
    /// With the times of retries too, each takes 4 bytes more.
    static let entriesWithRetries = 80

    /// Calls `body` with each chunk of rows that are sorted by id.
    static func forEach<Row: ChunkRow>(
        _ rows: [Row], most entries: Int = Chunks.entries, _ body: (ArraySlice<Row>, _ base: UInt64) -> Void
    ) {
        var start = 0
        while start < rows.count {
            let page = rows[start].id >> JobID.pageBits
            var low = rows[start].token
            var high = low
            var end = start + 1
            while end < rows.count, end - start < entries, rows[end].id >> JobID.pageBits == page {
                let next = rows[end].token
                // Tokens are stored relative to the smallest, in 4 bytes.
                guard max(high, next) - min(low, next) < UInt64(Int32.max) else { break }
                low = min(low, next)
                high = max(high, next)
                end += 1
            }
            body(rows[start..<end], low)
            start = end
        }
    }
}

extension Array {
    /// Sorts by a key, unless it is sorted already, as it mostly is.
    mutating func sortIfNeeded(by key: (Element) -> UInt64) {
        for index in indices.dropFirst() where key(self[index - 1]) > key(self[index]) {
            sort { key($0) < key($1) }
            return
        }
    }
}

/// What becomes an entry of a chunk.
protocol ChunkRow {
    var id: UInt64 { get }
    var token: UInt64 { get }
}

extension CommitBatch.LeaseRow: ChunkRow {}
extension CommitBatch.OutcomeRow: ChunkRow {}
