import StatexProtocol

// Lists walk back from the newest, page of ids by page of ids, until they have enough or their time is over. So no list
// needs an index of its own, and none takes long, however long the history is and however little of it fits.

/// How far one look at a list goes.
package struct Walk: Sendable {
    /// It begins below this id.
    package var below: UInt64
    /// Rows that it shows at most.
    package var limit: Int
    /// When this is over it ends with what it has and says where to go on. It looks at one page at least, so that who
    /// goes on gets on.
    package var patience: Duration

    package init(below: UInt64 = UInt64.max >> 1, limit: Int, patience: Duration) {
        self.below = below
        self.limit = limit
        self.patience = patience
    }
}

/// What a walk asks of each page.
struct PageQuery {
    /// Of its rows; the first is the id.
    let columns: [Column]
    /// Selects the newest id from $2 on and below $1, and the last id of what is needed to judge it; nothing or nulls:
    /// there is none.
    let newest: String
    /// Which pages are passed over before that; nil: none.
    var open: Open?
    /// Selects what fits of one page, newest first. $1 is the page's first id, $2 the newest and $3 the last one as
    /// `newest` said, $4 how many rows are wanted, $5 the tenant or null; what else is to fit stands from $6 on.
    let rows: String
    let filter: [String?]
    /// Microseconds since 1970 between which jobs were submitted.
    let since: Int64?
    let until: Int64?

    /// Only what is open is wanted.
    enum Open {
        case jobs
        /// Their jobs may lie in the page behind that of their first.
        case requests
    }
}

extension JournalReader {
    /// - Parameter tenant: the only one that was asked for; nil: all that `viewer` sees.
    borrowing func walk(
        _ walk: Walk, _ query: PageQuery, tenant: String?, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        let wanted: [String?]
        switch viewer.narrowed(to: tenant) {
        case .nothing: return Listing(query.columns, [])
        case .one(let one): wanted = [one] + query.filter
        case .all: wanted = [nil] + query.filter
        }
        var rows: [Row] = []
        var below = min(walk.below, JobID.highest(submittedBefore: query.until))
        let lowest = JobID.lowest(submittedSince: query.since)
        let deadline = ContinuousClock.now + walk.patience
        repeat {
            if let open = query.open {
                let found = try newestOpen(
                    below: below, from: lowest, spills: open == .requests, until: deadline)
                guard let newest = found else { return Listing(query.columns, rows) }
                below = newest + 1
            }
            // Ids rise with time, so a page is one index look-up away however long the history is.
            let found = try self.rows(query.newest, [String(below), String(lowest)])
            guard let row = found.first, let newest = row[0].flatMap(UInt64.init), let last = row[1] else {
                return Listing(query.columns, rows)
            }
            below = (newest >> JobID.pageBits) << JobID.pageBits
            rows += try self.rows(
                query.rows, [String(below), String(newest), last, String(walk.limit - rows.count)] + wanted)
        } while rows.count < walk.limit && ContinuousClock.now < deadline
        return Listing(query.columns, rows, next: rows.count < walk.limit ? String(below) : rows.last?[0])
    }
}

extension JobID {
    /// One hour more, for a clock that was set back.
    static func highest(submittedBefore time: Int64?) -> UInt64 {
        time.map { first(ofHour: hour(of: $0) + 2) } ?? UInt64.max >> 1
    }

    fileprivate static func lowest(submittedSince time: Int64?) -> UInt64 {
        time.map { first(ofHour: hour(of: $0)) } ?? 0
    }

    private static func hour(of time: Int64) -> UInt64 { UInt64(max(0, time)) / 3_600_000_000 }

    /// Ids begin with the hour. Its bits last until 2089, times until 2199: of what is later there is no id.
    private static func first(ofHour hour: UInt64) -> UInt64 {
        JobID(hour: hour, shard: 0, counter: 0)?.rawValue ?? UInt64.max >> 1
    }
}
