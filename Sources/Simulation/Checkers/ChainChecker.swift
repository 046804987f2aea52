import StatexProtocol
import StatexSchedulerCore

/// The commits of a shard are one chain, and each epoch is one owner's: nothing of an owner follows the first row of
/// the next one, nor anything of a journal what was restored in its place.
final class ChainChecker: Checker {
    private unowned let world: World
    private var last: (head: CommitBatch.Head, owner: Int)?

    init(_ world: World) { self.world = world }

    func journalRestored() { last = world.journal.commits.last.map { ($0.head, $0.owner) } }

    func committed(_ commit: SimulatedJournal.Commit) {
        defer { last = (commit.head, commit.owner) }
        guard let last else { return }
        let head = commit.head
        if head.batch != last.head.batch + 1 { world.violation("commit \(head.batch) follows \(last.head.batch)") }
        if head.incarnation != last.head.incarnation {
            world.violation("commit \(head.batch) of scheduler \(commit.owner) belongs to another journal")
        }
        if head.epoch == last.head.epoch ? commit.owner != last.owner : head.epoch != last.head.epoch + 1 {
            world.violation(
                "commit \(head.batch) of scheduler \(commit.owner), epoch \(head.epoch), follows one of scheduler \(last.owner), epoch \(last.head.epoch)"
            )
        }
        if head.nextID < last.head.nextID || head.nextToken < last.head.nextToken || head.nextName < last.head.nextName
        {
            world.violation("commit \(head.batch) would give ids, tokens or names again")
        }
    }
}
