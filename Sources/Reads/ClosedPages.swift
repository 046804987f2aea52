/// Pages of ids of which every job is final, as far as one connection has read that in the chain of commits. A closed page
/// never opens again, so what was read is not read again; they lie in few runs, however long the history is.
struct ClosedPages {
    /// Runs of them, the newest first, with gaps between them.
    private var runs: [ClosedRange<UInt64>] = []
    /// What closed in the commits from the first to the last one is known.
    private(set) var first: UInt64?
    private(set) var last: Commit?

    /// A commit in which pages closed. Of a journal that was restored its number may be another's.
    struct Commit: Equatable {
        let batch: UInt64
        let incarnation: String?
    }

    /// 1 MiB. Pages that find no room are looked at as if jobs were open there.
    private static let mostRuns = 65_536

    /// The closed pages around one; nil: as far as is known it is not closed.
    func run(around page: UInt64) -> ClosedRange<UInt64>? {
        let index = index(of: page)
        return index < runs.count && runs[index].contains(page) ? runs[index] : nil
    }

    /// Whether all is known that closed from a commit on.
    func isKnown(since batch: UInt64) -> Bool { first.map { $0 <= batch } ?? false }

    /// That something closed in a commit behind the last one, or that it is the first of which anything is known.
    mutating func add(_ page: UInt64, in commit: Commit) {
        insert(page)
        first = first ?? commit.batch
        last = commit
    }

    /// That something closed in a commit before the first one.
    mutating func add(_ page: UInt64, before batch: UInt64) {
        insert(page)
        first = batch
    }

    /// Nothing closed before what is known.
    mutating func reachedBeginning() { first = 0 }

    private mutating func insert(_ page: UInt64) {
        // Where the first run is that ends at or below it: above it is nothing that touches it from below.
        let index = index(of: page)
        if index < runs.count, runs[index].contains(page) { return }
        let touchesBelow = index < runs.count && runs[index].upperBound + 1 == page
        let touchesAbove = index > 0 && page + 1 == runs[index - 1].lowerBound
        switch (touchesAbove, touchesBelow) {
        case (true, true):
            runs[index - 1] = runs[index].lowerBound...runs[index - 1].upperBound
            runs.remove(at: index)
        case (true, false): runs[index - 1] = page...runs[index - 1].upperBound
        case (false, true): runs[index] = runs[index].lowerBound...page
        case (false, false):
            if runs.count < Self.mostRuns { runs.insert(page...page, at: index) }
        }
    }

    /// Of the first run that begins at or below a page.
    private func index(of page: UInt64) -> Int {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].lowerBound <= page { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
