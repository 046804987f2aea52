import StatexMetrics
import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Metrics of a worker") struct MetricsTests {
    private let worker = TestWorker(slots: 2, kinds: 2)

    private var snapshot: WorkerSnapshot { worker.core.metrics(kinds: ["text", "audio"], at: worker.now) }

    @Test("Attempts are counted by kind and by how they ended, and run times of those that ran to their end")
    func attempts() {
        worker.connect()
        for token in 1...4 { worker.lease(UInt64(token), kind: token == 4 ? 1 : 0) }
        worker.start(1)
        worker.end(1, ran: 3 * second)
        worker.start(4)
        worker.end(4, .failed, ran: 5 * millisecond)
        worker.start(2)
        worker.revoke(3, .stealing)
        worker.withdraw(3)
        #expect(snapshot.running == 1 && snapshot.held == 1 && snapshot.keptOutcomes == 3)
        #expect(snapshot.isConnected && !snapshot.isDraining && snapshot.slots == 2)
        #expect(snapshot.kinds.map(\.name) == ["text", "audio"])
        let (text, audio) = (snapshot.kinds[0].counts, snapshot.kinds[1].counts)
        #expect(text.endings.succeeded == 1 && text.endings.returned == 1)
        #expect(text.run.count == 1 && text.run.seconds == 3)
        #expect(audio.endings.failed == 1 && audio.run.seconds == 0.005)
    }

    @Test("A lease of a kind that is not served is handed back, and counted nowhere")
    func strangeKind() {
        worker.connect()
        worker.lease(1, kind: 7)
        #expect(snapshot.keptOutcomes == 1)
        #expect(snapshot.kinds.allSatisfy { $0.counts == AttemptCounts() })
    }

    @Test("A worker that drains, or has no session, says so")
    func standing() {
        #expect(!snapshot.isConnected)
        worker.connect()
        worker.drain()
        #expect(snapshot.isDraining)
    }
}
