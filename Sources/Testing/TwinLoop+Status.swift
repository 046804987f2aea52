import StatexProtocol
import StatexSchedulerCore

extension TwinLoop {
    /// The JSON text of STATUS_REPLY, as far as it means something in memory.
    var statusText: [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("incarnation", String(scheduler.incarnation, radix: 16))
            $0.member("epoch", Int(scheduler.epoch))
            $0.member("open_jobs", scheduler.openJobs)
            $0.member("delayed_jobs", scheduler.delayedJobs)
            $0.member("blocked_jobs", scheduler.blockedJobs)
            $0.member("clients", scheduler.clientCount)
            $0.object("journal") { $0.member("state", "in memory") }
            $0.array("queues", scheduler.queueStatus(at: clock.now)) { queue, json in
                json.member("kind", queue.kind)
                json.member("queued", queue.queued)
                json.member("leased", queue.leased)
            }
            $0.array("workers", scheduler.workerStatus) { worker, json in
                json.member("name", worker.name)
                json.member("slots", worker.slots)
                json.member("leases", worker.leases.count)
                json.array("unavailable", worker.unavailable) { kind, json in
                    json.member("kind", kind.name)
                    json.member("reason", kind.unavailable)
                }
            }
        }
        return json.bytes
    }
}
