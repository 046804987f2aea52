// The names of a scheduler's metrics. docs/metrics.md lists them for people; config/prometheus and config/grafana
// ask for them, and tests hold the three together.

extension SchedulerSnapshot {
    package func write(to text: inout MetricsText, at monotonic: Int64) {
        writeJobs(to: &text)
        writeQueues(to: &text)
        writeTenants(to: &text)
        writeWorkers(to: &text)
        writeJournal(to: &text)
        writeSubmits(to: &text)
        writeWire(to: &text)
        text.gauge("statex_scheduler_epoch", "This scheduler's term over its journal.", Double(epoch))
        text.gauge(
            "statex_scheduler_snapshot_age_seconds", "How old these figures are: the scheduler takes them each second.",
            Double(max(monotonic - takenAt, 0)) / 1_000_000_000)
    }

    private func byKind<Value>(_ value: (Kind) -> Value) -> [(MetricsText.Labels, Value)] {
        kinds.map { ([("kind", $0.name)], value($0)) }
    }

    private func writeJobs(to text: inout MetricsText) {
        text.counter("statex_jobs_submitted_total", "Jobs that were taken.", byKind { $0.counts.submitted })
        text.counter("statex_jobs_leased_total", "Leases that were given.", byKind { $0.counts.leased })
        text.counter(
            "statex_jobs_ended_total", "Jobs that are final, by the state that they ended in.",
            kinds.flatMap { kind in
                kind.counts.ended.all.map { ([("kind", kind.name), ("state", $0.state.name)], $0.count) }
            })
        text.counter(
            "statex_attempts_ended_total", "Leases that ended, by how.",
            kinds.flatMap { kind in
                kind.counts.attempts.all.map { ([("kind", kind.name), ("ending", $0.ending.name)], $0.count) }
            })
        text.counter(
            "statex_retries_total", "Failed attempts that were followed by another.", byKind { $0.counts.retried })
        text.histogram(
            "statex_job_queue_wait_seconds", "From when a job first was ready to its first lease.",
            byKind { $0.counts.queueWait })
        text.histogram(
            "statex_job_run_seconds", "How long attempts ran that succeeded or failed, as workers measured it.",
            byKind { $0.counts.run })
        text.histogram(
            "statex_job_end_to_end_seconds",
            "From when a job first was ready until its end (succeeded, failed or dead) was durable.",
            byKind { $0.counts.endToEnd })
    }

    private func writeQueues(to text: inout MetricsText) {
        text.gauge(
            "statex_open_jobs", "Open jobs by state; leased are those that a worker holds, running or not.",
            kinds.flatMap { kind in
                let states = [
                    ("blocked", kind.open.blocked), ("delayed", kind.open.delayed), ("queued", kind.open.queued),
                    ("leased", kind.open.leased),
                ]
                return states.map { ([("kind", kind.name), ("state", $0.0)], Double($0.1)) }
            })
        text.gauge(
            "statex_queue_backlog_seconds", "Queued jobs times how long one is expected to run.",
            byKind(\.backlogSeconds))
        text.gauge(
            "statex_queue_oldest_seconds", "How long the job has waited that waits for a slot the longest.",
            byKind(\.oldestSeconds))
        text.gauge(
            "statex_queue_held_retries", "Retries that wait for their kind's retry budget.",
            byKind { Double($0.heldRetries) })
        text.gauge("statex_queue_paused", "1: an operator paused the kind.", byKind { $0.isPaused ? 1 : 0 })
        text.gauge(
            "statex_queue_circuit_open", "1: the kind failed again and again, and is paused and probed.",
            byKind { $0.isCircuitOpen ? 1 : 0 })
    }

    private func writeTenants(to text: inout MetricsText) {
        func byTenant(_ value: (Tenant) -> Int) -> [(MetricsText.Labels, Double)] {
            tenants.map { ([("tenant", $0.name)], Double(value($0))) }
        }
        text.gauge("statex_tenant_open_jobs", "Open jobs of the tenants that have most.", byTenant(\.openJobs))
        text.gauge("statex_tenant_open_bytes", "Bytes of their payloads.", byTenant(\.openBytes))
        text.gauge("statex_tenant_leased_jobs", "Those of them that a worker holds.", byTenant(\.leased))
        text.gauge("statex_open_payload_bytes", "Bytes of the payloads of all open jobs.", Double(openBytes))
        text.gauge(
            "statex_open_bound", "What may be open at most, in jobs and in bytes of payload.",
            [([("of", "jobs")], bound(mostOpenJobs)), ([("of", "bytes")], bound(mostOpenBytes))])
    }

    private func bound(_ most: Int?) -> Double { most.map(Double.init) ?? .infinity }

    private func writeWorkers(to text: inout MetricsText) {
        text.gauge(
            "statex_workers", "Workers; those that are away have leases that have not ended yet.",
            [
                ([("state", "serving")], Double(workers.serving)), ([("state", "draining")], Double(workers.draining)),
                ([("state", "away")], Double(workers.away)),
            ])
        text.gauge("statex_slots", "Slots of the workers that serve.", Double(workers.slots))
        text.gauge("statex_credit", "Jobs that those workers are ready to hold.", Double(workers.credit))
        text.gauge("statex_leases", "Jobs that all workers hold.", Double(workers.leases))
        text.counter(
            "statex_steals_asked_total", "Jobs that were asked back from busy workers for idle ones.",
            counts.stealsAsked)
        text.counter("statex_steals_total", "Jobs that were given back for that, and went elsewhere.", counts.stolen)
        text.counter(
            "statex_stale_outcomes_total", "Outcomes of leases that were over: refused, as they must be.", counts.stale)
        text.counter(
            "statex_outcomes_put_off_total", "Outcomes that workers were asked to keep, as too much waited.",
            counts.putOff)
    }

    private func writeJournal(to text: inout MetricsText) {
        text.gauge(
            "statex_journal_up", "1: commits come through; 0: nothing can be made durable.",
            journal.downReason == nil ? 1 : 0)
        text.counter("statex_journal_commits_total", "Durable commits.", journal.commits)
        text.histogram("statex_journal_commit_seconds", "How long commits took.", journal.commitTime)
        text.gauge(
            "statex_journal_lag_seconds", "How long the commit under way has taken so far; 0: none is.",
            journal.underwaySeconds)
        text.gauge("statex_journal_waiting_jobs", "Jobs that gather for the next commit.", Double(journal.waitingJobs))
        text.counter(
            "statex_journal_payload_reads_total", "Payloads of leased jobs that were read back, as none was cached.",
            counts.payloadReads)
    }

    private func writeSubmits(to text: inout MetricsText) {
        text.counter(
            "statex_requests_refused_total", "Requests that were not admitted, by the bound in the way.",
            [
                ([("bound", "journal")], refusals.journal), ([("bound", "open_jobs")], refusals.openJobs),
                ([("bound", "open_bytes")], refusals.openBytes),
                ([("bound", "tenant_open_jobs")], refusals.tenantOpenJobs),
                ([("bound", "tenant_open_bytes")], refusals.tenantOpenBytes),
            ])
        text.counter(
            "statex_requests_repeated_total", "Requests that were known already, and answered again.", counts.repeated)
        text.counter(
            "statex_requests_duplicate_total", "Requests answered with the one that holds their unique key.",
            counts.duplicates)
    }

    private func writeWire(to text: inout MetricsText) {
        text.gauge("statex_clients", "Clients with a session.", Double(clients))
        text.gauge(
            "statex_first_key_end_seconds", "When the first of the allowed keys ends, in seconds since 1970.",
            firstKeyEnd.map(Double.init) ?? .infinity)
        text.counter(
            "statex_messages_malformed_total", "Messages that could not be understood, and were answered so.",
            counts.malformed)
        text.counter(
            "statex_messages_old_session_total", "Messages of sessions that are over.", counts.oldSession)
        text.counter("statex_messages_parked_total", "Messages that waited for a slow peer.", counts.parked)
        text.counter("statex_peers_unroutable_total", "Peers that were found gone while sending.", counts.unroutable)
        text.counter(
            "statex_progress_dropped_total", "Progress that was not passed on, as its reader was slow.",
            counts.progressDropped)
    }
}
