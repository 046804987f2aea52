import Hummingbird
import StatexClient
import StatexEvents
import StatexProtocol
import StatexReads

/// `/v1/status`, `/v1/queues`, `/v1/workers`, `/v1/schedules`: how everything stands, as the scheduler says.
///
/// What is of all tenants is for tokens without one; others see of it what is theirs.
struct StatusRoutes: Sendable {
    let scheduler: SchedulerLink
    let reads: ReadPool

    var endpoints: [Endpoint] {
        [
            Endpoint(.get, "/v1/status", for: .read, answer: status),
            Endpoint(.get, "/v1/queues", for: .read, answer: queues),
            Endpoint(.get, "/v1/workers", for: .operate, answer: workers),
            Endpoint(.get, "/v1/schedules", for: .operate, answer: schedules),
        ]
    }

    @Sendable private func status(_ call: Call) async throws -> Response {
        let (whole, status) = try await scheduler.status()
        let tenant = call.identity.tenant
        var text = JSONText()
        text.object { text in
            text.member("epoch", status.epoch)
            text.member("uptime_seconds", status.uptimeSeconds)
            text.object("journal") {
                $0.member("state", status.journal.state)
                if let reason = status.journal.reason, tenant == nil { $0.member("reason", reason) }
                $0.member("commit_ms", status.journal.commitMs)
            }
            let paused = status.paused.filter { pause in
                tenant.map { ["everything", "tenant \($0)"].contains(pause.what) } ?? true
            }
            text.array("paused", paused) {
                $1.member("what", $0.what)
                if tenant == nil { $1.member("by", $0.by) }
            }
            guard tenant == nil, let members = try? JSONObject(Array(whole.utf8)) else { return }
            for name in ["open_jobs", "delayed_jobs", "blocked_jobs", "clients", "events", "counts"] {
                text.raw(name, of: members)
            }
        }
        return Response(json: text)
    }

    @Sendable private func queues(_ call: Call) async throws -> Response {
        let (_, status) = try await scheduler.status()
        guard let tenant = call.identity.tenant else {
            var text = JSONText()
            text.object {
                $0.array("queues", status.queues) { queue, text in
                    text.member("kind", queue.kind)
                    text.member("queued", queue.queued)
                    text.member("delayed", queue.delayed ?? 0)
                    text.member("blocked", queue.blocked ?? 0)
                    text.member("leased", queue.leased)
                    text.member("held_retries", queue.heldRetries ?? 0)
                    text.member("backlog_seconds", queue.backlogSeconds ?? 0)
                    text.member("oldest_seconds", queue.oldestSeconds ?? 0)
                    text.member("circuit", queue.circuit ?? "closed")
                    text.member("paused", queue.pausedBy != nil)
                    text.member("paused_by", orNull: queue.pausedBy)
                }
                $0.member("complete", true)
            }
            return Response(json: text)
        }
        let open = try await reads.answer { reader throws(ReadError) in
            try reader.openJobs(
                ofTenant: tenant, limit: GatewayLimits.openJobs, patience: GatewayLimits.openJobsPatience)
        }
        var text = JSONText()
        text.object {
            $0.array("queues", open.kinds) { row, text in
                let paused = status.queues.first { $0.kind == row.kind }?.pausedBy
                text.member("kind", row.kind)
                for state in [JobState.queued, .delayed, .blocked] { text.member(state.name, row.states[state] ?? 0) }
                text.member("leased", (row.states[.leased] ?? 0) + (row.states[.running] ?? 0))
                text.member("paused", paused != nil)
            }
            $0.member("complete", open.isWhole)
        }
        return Response(json: text)
    }

    @Sendable private func workers(_ call: Call) async throws -> Response {
        try call.identity.checkSeesEverything()
        let (whole, _) = try await scheduler.status()
        var text = JSONText()
        text.object { text in
            if let members = try? JSONObject(Array(whole.utf8)) { text.raw("workers", of: members) }
        }
        return Response(json: text)
    }

    @Sendable private func schedules(_ call: Call) async throws -> Response {
        try call.identity.checkSeesEverything()
        let (_, status) = try await scheduler.status()
        var text = JSONText()
        text.object {
            $0.array("schedules", status.schedules) { schedule, text in
                text.member("name", schedule.name)
                text.member("cron", schedule.cron)
                text.member("time_zone", schedule.timeZone)
                text.member("kind", schedule.kind)
                text.member("tenant", schedule.tenant)
                text.member("next_at", orNull: schedule.nextUs.map(timeText))
                text.member("last_at", orNull: schedule.lastUs.map(timeText))
                text.member("last_job", orNull: schedule.lastJob)
                text.member("last_open", schedule.lastOpen ?? false)
            }
        }
        return Response(json: text)
    }
}

extension Identity {
    func checkSeesEverything() throws(Problem) {
        if let tenant { throw .forbidden("the token is of tenant \(tenant); this is for tokens of no tenant") }
    }
}

extension JSONText {
    /// A member as it stands elsewhere.
    fileprivate mutating func raw(_ name: String, of object: JSONObject) {
        guard let member = object.member(name) else { return }
        raw("\"\(name)\":" + String(decoding: object.text(of: member), as: UTF8.self))
    }
}
