import StatexMetrics
import StatexThreads
import Synchronization
import Testing

@testable import StatexProbes

@Suite struct HealthTests {
    private let second: Int64 = 1_000_000_000

    @Test func `a scheduler lives from its start and is ready once it serves`() {
        let figures = Published<SchedulerSnapshot>()
        let probes = Probes.scheduler(figures, now: { 100 * second })
        #expect(probes.live().isGood)
        #expect(!probes.ready().isGood)
        figures.publish(SchedulerSnapshot(takenAt: 99 * second, epoch: 1))
        #expect(probes.ready().isGood)
    }

    @Test func `a scheduler whose journal is down lives, and is not ready for that reason`() {
        let figures = Published<SchedulerSnapshot>()
        var snapshot = SchedulerSnapshot(takenAt: 99 * second, epoch: 1)
        snapshot.journal.downReason = "the journal is down: gone"
        figures.publish(snapshot)
        let probes = Probes.scheduler(figures, now: { 100 * second })
        #expect(probes.live().isGood)
        #expect(probes.ready().checks.map(\.problem) == [nil, "the journal is down: gone"])
    }

    @Test(arguments: [(0, true, true), (5, true, true), (6, false, true), (30, false, true), (31, false, false)])
    func `a loop that does not turn is first not ready, then dead`(age: Int64, isReady: Bool, lives: Bool) {
        let figures = Published<SchedulerSnapshot>()
        figures.publish(SchedulerSnapshot(takenAt: 100 * second, epoch: 1))
        let probes = Probes.scheduler(figures, now: { (100 + age) * second })
        #expect(probes.ready().isGood == isReady)
        #expect(probes.live().isGood == lives)
        let workers = Published<WorkerSnapshot>()
        var worker = WorkerSnapshot(takenAt: 100 * second, slots: 1)
        worker.isConnected = true
        workers.publish(worker)
        let ofWorker = Probes.worker(workers, handlerStarts: { [] }, now: { (100 + age) * second })
        #expect(ofWorker.ready().isGood == isReady)
        #expect(ofWorker.live().isGood == lives)
    }

    @Test func `a worker is ready while it is welcome and does not drain`() {
        let figures = Published<WorkerSnapshot>()
        let probes = Probes.worker(figures, handlerStarts: { [] }, now: { 0 })
        #expect(probes.live().isGood && !probes.ready().isGood)
        var snapshot = WorkerSnapshot(takenAt: 0, slots: 1)
        figures.publish(snapshot)
        #expect(probes.ready().checks.first { $0.name == "scheduler" }?.problem != nil)
        snapshot.isConnected = true
        figures.publish(snapshot)
        #expect(probes.ready().isGood)
        snapshot.isDraining = true
        figures.publish(snapshot)
        #expect(probes.ready().checks.first { $0.name == "drain" }?.problem != nil)
        #expect(probes.live().isGood)
    }
}

@Suite struct ProcessFiguresTests {
    @Test func `the kernel's line is read, whatever the program calls itself`() throws {
        let stat =
            "42 (a) b (c 9 9) S 1 42 42 0 -1 4194304 500 0 0 0 150 50 0 0 20 0 7 0 1000 8192000 25 18446744073709551615"
        let figures = try #require(
            ProcessFigures(
                stat: stat, machine: "cpu 1\nbtime 1700000000\n", ticks: 100, page: 4_096, openFiles: 3,
                mostOpenFiles: 1_024))
        #expect(figures.cpuSeconds == 2)
        #expect(figures.threads == 7)
        #expect(figures.startedAt == 1_700_000_010)
        #expect(figures.virtualBytes == 8_192_000)
        #expect(figures.residentBytes == 25 * 4_096)
    }

    @Test(arguments: ["", "42", "42 (x", "42 (x) S 1 2", "42 (x) S a b c d e f g h i j k l m n o p q r s t u v w"])
    func `a line that is none is no figures`(stat: String) {
        #expect(ProcessFigures(stat: stat, machine: "", ticks: 100, page: 1, openFiles: 0, mostOpenFiles: 0) == nil)
    }

    @Test func `what it says of this process is plausible`() throws {
        let figures = try #require(ProcessFigures.read())
        #expect(figures.residentBytes > 1 << 20)
        #expect(figures.openFiles >= 3)
        #expect(figures.threads >= 1)
        #expect(figures.startedAt > 1_700_000_000)
        #expect(figures.mostOpenFiles >= Double(figures.openFiles))
    }
}
