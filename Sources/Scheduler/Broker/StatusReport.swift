import CLinux
import StatexProtocol
import StatexSchedulerCore

// The JSON text of STATUS_REPLY. docs/protocol.md describes its members.

extension Broker {
    mutating func statusReport() -> [UInt8] {
        var json = JSONText()
        let time = now
        let schedules = core.scheduleStatus()
        json.object {
            $0.member("incarnation", String(core.incarnation, radix: 16))
            $0.member("epoch", Int(core.epoch))
            $0.member("uptime_seconds", Int((clinux_monotonic_nanoseconds() - startedAt) / 1_000_000_000))
            $0.member("open_jobs", core.openJobs)
            $0.member("delayed_jobs", core.delayedJobs)
            $0.member("blocked_jobs", core.blockedJobs)
            $0.member("clients", core.clientCount)
            $0.object("journal") {
                $0.member("state", busyReason == nil ? "up" : "down")
                if let reason = busyReason { $0.member("reason", reason) }
                $0.member("batch", Int(core.committedBatch))
                $0.member("commits", Int(counts.commits))
                $0.member("commit_ms", Double(commitNanoseconds) / 1_000_000)
                $0.member("waiting_jobs", core.gatheredJobs)
            }
            $0.object("events") {
                $0.member("subscribed", publisher.isSubscribed)
                $0.member("messages", Int(publisher.counts.messages))
                $0.member("events", Int(publisher.counts.events))
            }
            $0.raw(settings.statusMembers)
            if configurationRead > 0 {
                $0.object("configuration") {
                    $0.member("read_at_us", Int(configurationRead))
                    $0.member("taken", configurationRefused == nil)
                    if let reason = configurationRefused { $0.member("reason", reason) }
                }
            }
            $0.object("counts") { counts(&$0) }
            $0.array("queues", core.queueStatus(at: time)) { queue, json in
                json.member("kind", queue.kind)
                json.member("queued", queue.queued)
                json.member("leased", queue.leased)
                json.member("delayed", queue.delayed)
                json.member("blocked", queue.blocked)
                json.member("backlog_seconds", queue.backlogSeconds)
                json.member("oldest_seconds", queue.oldestSeconds)
                json.member("runs", Int(clamping: queue.runs))
                json.member("run_seconds", queue.runSeconds)
                json.array("labelled", queue.labelled) {
                    $1.strings("labels", $0.labels)
                    $1.member("queued", $0.queued)
                }
                json.member("held_retries", queue.heldRetries)
                json.member("circuit", queue.circuit, at: time)
                if let by = queue.pausedBy { json.member("paused_by", by) }
            }
            $0.array("paused", core.pauseStatus) { pause, json in
                json.member("what", "\(pause.subject)")
                json.member("by", pause.by)
            }
            $0.array("schedules", schedules) { schedule, json in
                json.member("name", schedule.schedule.name)
                json.member("cron", schedule.schedule.cron.text)
                json.member("time_zone", schedule.schedule.zone.name)
                json.member("kind", schedule.schedule.kind)
                json.member("tenant", schedule.schedule.tenant)
                if let next = schedule.next { json.member("next_us", Int(next)) }
                guard schedule.progress.job != 0 else { return }
                json.member("last_us", Int(schedule.progress.jobDue))
                json.member("last_job", String(schedule.progress.job))
                json.member("last_open", schedule.isOpen)
            }
            $0.array("workers", core.workerStatus) { worker, json in
                json.member("name", worker.name)
                json.member("incarnation", String(worker.incarnation, radix: 16))
                json.member("connected", worker.isConnected)
                json.member("draining", worker.isDraining)
                json.member("slots", worker.slots)
                json.member("credit", worker.credit)
                json.member("leases", worker.leases.count)
                json.member("succeeded", Int(worker.succeeded))
                json.member("failed", Int(worker.failed))
                json.strings("labels", worker.labels)
                json.array("resources", worker.resources.items) { item, json in
                    json.member("name", item.name)
                    json.member("total", Int(item.total))
                    json.member("used", Int(item.used))
                }
                json.array("quarantined", worker.quarantine.kinds) { kind, json in
                    json.member("kind", core.kindName(kind))
                    json.member("circuit", worker.quarantine.state(of: kind, at: time.monotonic), at: time)
                }
                json.array("kinds", worker.kinds) { kind, json in json.member("kind", core.kindName(kind.kind)) }
                json.array("unavailable", worker.unavailable) { kind, json in
                    json.member("kind", kind.name)
                    json.member("reason", kind.unavailable)
                }
                if !worker.details.isEmpty { json.raw("\"details\":\(worker.details)") }
            }
        }
        return json.bytes
    }

    /// What a client of some tenants is told: how the scheduler stands, and where objects lie.
    func shortStatus() -> [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("incarnation", String(core.incarnation, radix: 16))
            $0.member("epoch", Int(core.epoch))
            $0.object("journal") {
                $0.member("state", busyReason == nil ? "up" : "down")
                if let reason = busyReason { $0.member("reason", reason) }
            }
            $0.raw(settings.statusMembers)
        }
        return json.bytes
    }

    private func counts(_ json: inout JSONText) {
        let core = self.core.counts
        for (name, value) in [
            ("submitted", core.submitted), ("repeated", core.repeated), ("duplicates", core.duplicates),
            ("refused", core.refused),
            ("leased", core.leased),
            ("succeeded", core.succeeded), ("failed", core.failed), ("dead", core.dead), ("cancelled", core.cancelled),
            ("expired", core.expired), ("retried", core.retried), ("lost", core.lost), ("returned", core.returned),
            ("steals_asked", core.stealsAsked), ("stolen", core.stolen), ("stale", core.stale),
            ("put_off", core.putOff), ("malformed", counts.malformed),
            ("unroutable", counts.unroutable),
            ("parked", counts.parked), ("old_session", counts.oldSession), ("payload_reads", counts.payloadReads),
            ("reads_refused", counts.readsRefused),
            ("stale_reports", core.staleReports), ("progress_dropped", counts.progressDropped),
            ("keys_refused", settings.keyring?.refused ?? 0), ("keys_revoked", counts.keysRevoked),
            ("connections_cut", counts.connectionsCut),
            ("doors_reopened", counts.doorsReopened),
            ("endpoints_reclaimed", counts.endpointsReclaimed), ("endpoints_unreachable", counts.endpointsUnreachable),
        ] { json.member(name, Int(value)) }
    }
}

extension JSONText {
    /// `closed`, `open`, `due`, `probing`; of an open one also when the next probe may start.
    fileprivate mutating func member(_ name: String, _ circuit: Circuit.State, at time: Now) {
        switch circuit {
        case .closed: member(name, "closed")
        case .due: member(name, "due")
        case .probing: member(name, "probing")
        case .open(let until):
            member(name, "open")
            member("probe_in_ms", Int((until - time.monotonic) / 1_000_000))
        }
    }
}
