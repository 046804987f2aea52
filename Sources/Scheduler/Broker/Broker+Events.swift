import StatexSchedulerCore
import StatexZeroMQ

// Events: published once the commit that they are of is durable, while somebody subscribes.

extension Broker {
    /// - Parameter frame: whatever arrives is read into it.
    mutating func takeSubscriptions(_ frame: borrowing Frame) throws(ZeroMQError) {
        let isNew = try publisher.listen(frame)
        publishWorkerEvents()
        core.tellsEvents = publisher.isSubscribed
        if isNew { publisher.beat(core, at: now, stamp: stamp) }
    }

    mutating func publishEvents(of batch: CommitBatch) {
        guard core.tellsEvents else { return }
        publisher.publish(batch.head, of: core, stamp: stamp)
    }

    mutating func publishWorkerEvents() {
        guard core.hasWorkerEvents else { return }
        let (first, events) = core.takeWorkerEvents()
        publisher.publish(events, first: first, stamp: stamp)
    }

    /// When the loop must wake for the stream, on the monotonic clock.
    var nextEventBeat: Int64 { publisher.isSubscribed ? publisher.nextBeat : .max }
}
