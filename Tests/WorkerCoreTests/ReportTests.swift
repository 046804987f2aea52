import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Reports")
struct ReportTests {
    private let worker = TestWorker()

    init() {
        worker.connect()
        worker.lease(1)
        worker.start(1)
    }

    private func say(_ fraction: Double, _ text: String = "", _ piece: String = "") {
        worker.say(1) {
            $0.progressed(ProgressRecord.fraction(of: fraction), Array(text.utf8))
            $0.put(Array(piece.utf8))
        }
    }

    /// Time passes, in which the scheduler is heard.
    private func pass(_ seconds: Int, session: UInt64 = 1) {
        for _ in 0..<seconds {
            #expect(worker.accepts(worker.header(.heartbeat, session: session)))
            worker.tick(after: second)
        }
    }

    @Test("What nobody follows is held, and told as soon as somebody does")
    func heldBack() throws {
        say(0.1, "begun", "one ")
        say(0.2, "on it", "two ")
        #expect(try worker.reports() == [])
        worker.follow(1)
        #expect(try worker.reports() == ["1 @0 2000 on itone two "])
        // Another follower: how far it is now, and from where output comes.
        worker.follow(1)
        worker.tick(after: 100 * millisecond)
        #expect(try worker.reports() == ["1 @8 2000 on it"])
    }

    @Test("Reports come at most ten times a second: progress keeps the latest, output is joined")
    func rate() throws {
        worker.follow(1)
        say(0.1, "a", "1")
        #expect(try worker.reports() == ["1 @0 1000 a1"])
        say(0.2, "b", "2")
        worker.tick(after: 50 * millisecond)
        say(0.3, "c", "3")
        #expect(try worker.reports() == [])
        #expect(worker.nextDeadline <= worker.now + 50 * millisecond)
        worker.tick(after: 50 * millisecond)
        #expect(try worker.reports() == ["1 @1 3000 c23"])
        worker.tick(after: 500 * millisecond)
        #expect(try worker.reports() == [])
    }

    @Test("Output beyond a second's share waits, and beyond the room is left out; offsets say so")
    func leftOut() throws {
        worker.follow(1)
        worker.say(1) { $0.put([UInt8](repeating: 97, count: 20_000)) }
        worker.say(1) { $0.put([UInt8](repeating: 98, count: 50_000)) }
        #expect(try worker.reports() == ["1 @0 - " + String(repeating: "a", count: 8_192)])
        worker.tick(after: 100 * millisecond)
        #expect(try worker.reports() == ["1 @8192 - " + String(repeating: "a", count: 8_192)])
        worker.end(1)
        // The rest goes with the end, and what had no room is missed.
        #expect(
            try worker.reports() == ["1 @16384 - " + String(repeating: "a", count: 3_616), "1 @70000 - "])
        #expect(try worker.outcomes().map(\.token) == [1])
    }

    @Test("A piece is cut between characters")
    func cutBetween() throws {
        worker.follow(1)
        worker.say(1) { $0.put(Array((String(repeating: "a", count: 8_191) + "é!").utf8)) }
        #expect(try worker.reports() == ["1 @0 - " + String(repeating: "a", count: 8_191)])
        worker.end(1)
        #expect(try worker.reports() == ["1 @8191 - é!"])
    }

    @Test("What a revoked attempt says is not heard; nor what one says that has ended")
    func afterTheEnd() throws {
        worker.follow(1)
        worker.revoke(1, .notHeld)
        say(0.5, "revoked")
        worker.lease(2)
        worker.start(2)
        worker.follow(2)
        worker.end(2)
        worker.say(2) { $0.put([97]) }
        worker.tick(after: second)
        #expect(try worker.reports() == [])
    }

    @Test("A new session is told anew what is followed")
    func newSession() throws {
        worker.follow(1)
        say(0.5, "half")
        _ = try worker.reports()
        worker.disconnect()
        worker.connect(session: 2)
        say(0.6, "more")
        worker.tick(after: second)
        #expect(try worker.reports() == [])
        worker.follow(1)
        #expect(try worker.reports() == ["1 @0 6000 more"])
    }

    @Test("Checkpoints: the latest, every five seconds, and the next not before this one is durable")
    func checkpointRate() throws {
        worker.say(1) { $0.checkpoint = [1] }
        #expect(try worker.checkpoints() == [[1]])
        worker.say(1) { $0.checkpoint = [2] }
        pass(6)
        worker.say(1) { $0.checkpoint = [3] }
        #expect(try worker.checkpoints() == [])
        worker.checkpointed(1)
        #expect(try worker.checkpoints() == [[3]])
        worker.checkpointed(1)
        worker.say(1) { $0.checkpoint = [4] }
        #expect(try worker.checkpoints() == [])
        pass(5)
        #expect(try worker.checkpoints() == [[4]])
    }

    @Test("The last checkpoint goes before the outcome; one that may be lost is sent again")
    func checkpointAtTheEnd() throws {
        worker.say(1) { $0.checkpoint = [1] }
        _ = try worker.checkpoints()
        worker.disconnect()
        worker.connect(session: 2)
        pass(5, session: 2)
        #expect(try worker.checkpoints() == [[1]])
        worker.say(1) { $0.checkpoint = [2] }
        worker.end(1, .failed, body: [1, 65])
        #expect(try worker.checkpoints() == [[2]])
        #expect(try worker.outcomes().map(\.ending) == [.failed])
    }
}
