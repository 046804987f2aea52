import StatexSchedulerCore
import StatexZeroMQ

// Events: published once the commit that they are of is durable, while somebody subscribes.

extension Broker {
    /// - Parameter frame: whatever arrives is read into it.
    mutating func takeSubscriptions(_ frame: borrowing Frame) throws(ZeroMQError) {
        let isNew = try publisher.listen(frame)
        publishWorkerEvents()
        core.tellsEvents = publisher.isSubscribed
        if isNew { beatEvents(always: true) }
    }

    mutating func publishEvents(of batch: CommitBatch) {
        guard core.tellsEvents else { return publisher.passed(batch.head.batch) }
        publisher.publish(batch.head, core.events.all, of: core, stamp: stamp)
    }

    mutating func publishWorkerEvents() {
        guard core.hasWorkerEvents else { return }
        let (first, events) = core.takeWorkerEvents()
        publisher.publish(events, first: first, stamp: stamp)
    }

    mutating func beatEvents(always: Bool = false) {
        publisher.beat(
            committed: core.committedBatch, at: now.wall, shard: core.settings.shard, stamp: stamp, always: always)
    }
}
