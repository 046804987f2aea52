import CLinux
import StatexMetrics
import StatexSchedulerCore

// The figures that a scrape shows: taken here once a second, so that a scrape neither waits for this thread nor
// gives it work.

extension Broker {
    mutating func publishFigures(at time: Now) {
        guard let figures = settings.figures, time.monotonic >= nextFigures else { return }
        nextFigures = time.monotonic + 1_000_000_000
        var snapshot = core.metrics(at: time)
        snapshot.journal.downReason = busyReason
        snapshot.journal.commits = counts.commits
        snapshot.journal.commitTime = commitTime
        if core.isCommitUnderway {
            snapshot.journal.underwaySeconds = Double(time.monotonic - commitStarted) / 1_000_000_000
        }
        snapshot.counts.malformed = counts.malformed
        snapshot.counts.unroutable = counts.unroutable
        snapshot.counts.parked = counts.parked
        snapshot.counts.oldSession = counts.oldSession
        snapshot.counts.payloadReads = counts.payloadReads
        snapshot.counts.progressDropped = counts.progressDropped
        snapshot.firstKeyEnd = allowList.firstEnd?.seconds
        figures.publish(snapshot)
    }
}
