import StatexProtocol

// Open jobs lie in few pages, however long the history is: which pages hold none any more stands in the chain of commits
// (`pages_closed`), and a list of open jobs jumps over them.
//
// A connection remembers what it read there. To ask the chain in each look took as long as the history is: over 6 million
// commits with 147,672 closed pages (1,000 jobs a second for 7 days) no look was over within 50 s, for the pages' hashes
// collide (they have 2,016 values). 5,000 of them are read in 13 ms, once, and lie in 168 runs: to jump over all of these is
// 43 ms. (Each statement as psql sees it.)

enum OpenPages {
    /// Runs of closed pages that one look passes: some 50 ms. Then it goes on from there, as a list does.
    static let mostJumps = 200
    /// Commits in which pages closed that are read at once: some 15 ms.
    static let commitsAtOnce = 5_000

    /// What a connection knows.
    final class Memory {
        var closed = ClosedPages()
    }
}

extension JournalReader {
    /// The newest job from `lowest` on and below `below` whose page may hold open jobs, or the last one that it came by;
    /// nil: there is none.
    /// - Parameter spills: whether what belongs to a job of a page may lie in the next one: then that counts too.
    borrowing func newestOpen(
        below: UInt64, from lowest: UInt64, spills: Bool, until deadline: ContinuousClock.Instant
    ) throws(ReadError) -> UInt64? {
        try readNewlyClosed(until: deadline)
        var below = below
        var jumps = 0
        var hasRead = false
        while true {
            let found = try prepared(newestJob, [String(below), String(lowest)])
            guard let row = found.first, let id = row[0].flatMap(UInt64.init), let batch = row[1].flatMap(UInt64.init)
            else { return nil }
            let page = id >> JobID.pageBits
            // It closed in the commit that brought its jobs or behind: no earlier one has to be read.
            while memory.closed.run(around: page) == nil, !memory.closed.isKnown(since: batch),
                !hasRead || ContinuousClock.now < deadline
            {
                try readClosedBefore()
                hasRead = true
            }
            guard let run = memory.closed.run(around: page), jumps < OpenPages.mostJumps else { return id }
            let isFollowed = page == run.upperBound && row[2] == "t"
            guard !spills || !isFollowed else { return id }
            jumps += 1
            below = run.lowerBound << JobID.pageBits
        }
    }

    /// What closed since something was read.
    private borrowing func readNewlyClosed(until deadline: ContinuousClock.Instant) throws(ReadError) {
        guard memory.closed.first != nil else { return }
        repeat {
            let last = memory.closed.last
            let rows = try closures("batch >= $1::bigint", "batch", last?.batch ?? 0)
            // The last one is read again: where it is not there any more, or is another's, the journal was restored.
            guard last == nil || rows.first?.commit == last else {
                memory.closed = ClosedPages()
                return
            }
            for row in rows { memory.closed.add(row.page, in: row.commit) }
            guard Self.commits(rows) == OpenPages.commitsAtOnce else { return }
        } while ContinuousClock.now < deadline
    }

    /// What closed before all that was read, or the newest of all.
    private borrowing func readClosedBefore() throws(ReadError) {
        let first = memory.closed.first
        let rows = try closures("batch < $1::bigint", "batch DESC", first ?? UInt64.max >> 1)
        for row in rows {
            if memory.closed.last == nil { memory.closed.add(row.page, in: row.commit) }
            memory.closed.add(row.page, before: row.commit.batch)
        }
        if Self.commits(rows) < OpenPages.commitsAtOnce { memory.closed.reachedBeginning() }
    }

    private typealias Closure = (commit: ClosedPages.Commit, page: UInt64)

    private borrowing func closures(
        _ condition: String, _ order: String, _ batch: UInt64
    ) throws(ReadError) -> [Closure] {
        let rows = try rows(
            """
            SELECT c.batch, c.incarnation, p.page FROM (
                SELECT batch, incarnation, pages_closed FROM statex.commits
                WHERE pages_closed IS NOT NULL AND \(condition) ORDER BY \(order) LIMIT \(OpenPages.commitsAtOnce)
            ) c CROSS JOIN LATERAL unnest(c.pages_closed) AS p(page) ORDER BY \(order)
            """, [String(batch)])
        return rows.compactMap { row in
            guard let batch = row[0].flatMap(UInt64.init), let page = row[2].flatMap(UInt64.init) else { return nil }
            return (ClosedPages.Commit(batch: batch, incarnation: row[1]), page)
        }
    }

    /// How many commits these are of, which are in the order of commits.
    private static func commits(_ rows: [Closure]) -> Int {
        var count = 0
        var last: UInt64?
        for row in rows where row.commit.batch != last {
            count += 1
            last = row.commit.batch
        }
        return count
    }
}

/// The newest job from $2 on and below $1, the commit that brought it, and whether there are jobs in the page behind its own.
private let newestJob = """
    SELECT j.id, j.batch, EXISTS (SELECT FROM statex.jobs n
        WHERE n.id >= ((j.id >> 12) + 1) << 12 AND n.id < ((j.id >> 12) + 2) << 12)
    FROM (SELECT id, batch FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint ORDER BY id DESC LIMIT 1) j
    """
