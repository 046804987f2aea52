import StatexMetrics
import StatexProtocol
import Testing

@Suite struct SchedulerSnapshotTests {
    private func kind(_ name: String, submitted: UInt64 = 0, queued: Int = 0) -> SchedulerSnapshot.Kind {
        var counts = JobCounts()
        counts.submitted = submitted
        return SchedulerSnapshot.Kind(
            name: name, counts: counts, open: SchedulerSnapshot.OpenJobs(queued: queued),
            backlogSeconds: Double(queued),
            oldestSeconds: Double(queued), heldRetries: 0, isPaused: false, isCircuitOpen: false)
    }

    private func tenant(_ name: String, _ jobs: Int) -> SchedulerSnapshot.Tenant {
        SchedulerSnapshot.Tenant(name: name, openJobs: jobs, openBytes: 10 * jobs, leased: 1)
    }

    @Test func `kinds beyond the bound are one, and nothing that was counted is missing`() {
        var snapshot = SchedulerSnapshot(takenAt: 0, epoch: 1)
        for index in 0..<1_000 { snapshot.add(kind("k\(index)", submitted: 1, queued: index)) }
        #expect(snapshot.kinds.count == SchedulerSnapshot.kindsShown + 1)
        #expect(snapshot.kinds.reduce(0) { $0 + $1.counts.submitted } == 1_000)
        #expect(snapshot.kinds.last?.name == "other")
        #expect(snapshot.kinds.last?.open.queued == (64..<1_000).reduce(0, +))
        #expect(snapshot.kinds.last?.oldestSeconds == 999)
    }

    @Test func `a kind that is called other is with the others, so that no series is there twice`() {
        var snapshot = SchedulerSnapshot(takenAt: 0, epoch: 1)
        snapshot.add(kind("other", submitted: 1))
        for index in 0..<100 { snapshot.add(kind("k\(index)", submitted: 1)) }
        #expect(Set(snapshot.kinds.map(\.name)).count == snapshot.kinds.count)
        #expect(snapshot.kinds.reduce(0) { $0 + $1.counts.submitted } == 101)
    }

    @Test func `of tenants those are shown that have most open, and the rest together`() {
        var snapshot = SchedulerSnapshot(takenAt: 0, epoch: 1)
        snapshot.setTenants((0..<30).map { tenant("t\($0)", $0) } + [tenant("other", 1_000)])
        #expect(snapshot.tenants.map(\.name) == (20..<30).reversed().map { "t\($0)" } + ["other"])
        #expect(snapshot.tenants.last?.openJobs == (0..<20).reduce(0, +) + 1_000)
        snapshot.setTenants([tenant("acme", 1)])
        #expect(snapshot.tenants.map(\.name) == ["acme"])
    }

    @Test func `every family stands once, with its samples behind it`() {
        var snapshot = SchedulerSnapshot(takenAt: 0, epoch: 1)
        for name in ["text", "audio", "other"] { snapshot.add(kind(name, queued: 1)) }
        snapshot.setTenants([tenant("acme", 1)])
        var text = MetricsText()
        snapshot.write(to: &text, at: 2_000_000_000)
        var seen: Set<String> = []
        var series: Set<String> = []
        var family = ""
        for line in String(decoding: text.bytes, as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                family = String(line.split(separator: " ")[2])
                #expect(seen.insert(family).inserted, "\(family) twice")
            } else if !line.hasPrefix("#") {
                #expect(line.hasPrefix(family), "\(line) does not belong to \(family)")
                let name = String(line.prefix { $0 != " " })
                #expect(series.insert(name).inserted, "\(name) twice")
            }
        }
        #expect(seen.contains("statex_job_queue_wait_seconds"))
        #expect(series.contains("statex_scheduler_snapshot_age_seconds"))
    }
}
