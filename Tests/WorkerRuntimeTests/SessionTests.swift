import Dispatch
import StatexHandlerAPI
import StatexHandlers
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexWorkerRuntime

@Suite("A worker whose scheduler comes and goes", .timeLimit(.minutes(2)))
struct WorkerSessionTests {
    @Test("A scheduler that comes back as a new owner gets claims first, then the kept outcomes")
    func schedulerRestarts() async throws {
        try await withEndpoint { endpoint in
            let context = try ZeroMQContext()
            let worker = try Worker(endpoint: endpoint, slots: 1, handlers: [EchoHandler(), HangHandler()])
            async let ended: Void = worker.run()
            try await onThread {
                // The first scheduler never says that outcome 1 is durable, and dies while 2 runs.
                do {
                    let first = try FakeScheduler(endpoint, in: context)
                    _ = try first.greet(heartbeatMilliseconds: 20)
                    try first.lease(1...1, payload: "kept")
                    #expect(try first.outcomes(1).map(\.token) == [1])
                    try first.lease(2...3, kind: 1)
                    while first.heartbeats.last?.running != 1 { try first.awaitHeartbeats(1) }
                }
                let second = try FakeScheduler(
                    endpoint, in: context, stamp: SessionStamp(session: 9, incarnation: 7, epoch: 2))
                // What was on its way belongs to a session that this one does not know: it says so.
                _ = try second.next(.hello)
                try second.welcome()
                var claims: [TokenRecord] = []
                var outcomes: [FakeScheduler.Outcome] = []
                loop: while true {
                    let message = try second.next()
                    switch message.header.type {
                    case .claim:
                        #expect(outcomes.isEmpty)
                        claims += try FakeScheduler.tokens(message)
                    case .outcomes: outcomes += try FakeScheduler.outcomes(message)
                    case .credit: break loop
                    default: continue
                    }
                }
                #expect(claims.map(\.token) == [2, 3])
                #expect(claims.map(\.running) == [true, false])
                #expect(outcomes.map(\.token) == [1])
                #expect(String(decoding: outcomes[0].body, as: UTF8.self) == "kept")
                // Asked again, it offers again; told that it is durable, it forgets.
                try second.say(.offerAgain)
                #expect(try second.outcomes(1).map(\.token) == [1])
                try second.tell(.durable, [1])
                try second.say(.offerAgain)
                try second.tell(.revoke, [2, 3], reason: .cancelled)
                #expect(try Set(second.outcomes(2).map(\.token)) == [2, 3])
                try second.tell(.durable, [2, 3])
                worker.drain()
                #expect(try second.serveUntilGoodbye().isEmpty)
            }
            try await ended
        }
    }

    @Test("A scheduler that falls silent gets a new connection after three seconds, and nothing is lost")
    func silentScheduler() async throws {
        try await withWorker([EchoHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: "x")
            let outcome = try scheduler.next(.outcomes)
            #expect(try FakeScheduler.outcomes(outcome).count == 1)
            // Heartbeats stay unanswered until the worker says HELLO anew.
            scheduler.isSilent = true
            let hello = try scheduler.next(.hello)
            scheduler.isSilent = false
            #expect(
                try Hello(reading: hello.bytes.span.bytes, header: hello.header).incarnation
                    == scheduler.hello?.incarnation)
            scheduler.stamp.session = 2
            try scheduler.welcome()
            #expect(try scheduler.outcomes(1).map(\.token) == [1])
        }
    }

    @Test("A message of another session is not acted upon")
    func otherSession() async throws {
        try await withWorker([EchoHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            scheduler.stamp.session = 99
            try scheduler.lease(1...1)
            scheduler.stamp.session = 1
            scheduler.stamp.epoch = 0
            try scheduler.lease(2...2)
            scheduler.stamp.epoch = 1
            try scheduler.lease(3...3)
            #expect(try scheduler.outcomes(1).map(\.token) == [3])
        }
    }

    @Test("A message that cannot be understood begins a new session, and the leases are claimed in it")
    func malformed() async throws {
        try await withWorker([HangHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1)
            try scheduler.awaitHeartbeats(2)
            try scheduler.send(raw: [1, 2, 3])
            scheduler.stamp.session = 2
            let told = try scheduler.greet()
            #expect(told.claims.map(\.token) == [1])
            try scheduler.tell(.revoke, [1], reason: .cancelled)
            #expect(try scheduler.outcomes(1).map(\.ending) == [.cancelled])
        }
    }

    @Test("A scheduler that speaks another version ends the worker with the reason")
    func refused() async throws {
        try await withEndpoint { endpoint in
            let context = try ZeroMQContext()
            let worker = try Worker(endpoint: endpoint, handlers: [EchoHandler()])
            let ended = Task { try await worker.run() }
            let over = DispatchSemaphore(value: 0)
            async let script: Void = onThread {
                try FakeScheduler(endpoint, in: context).refuse(.version, until: over)
            }
            await #expect(throws: WorkerError.refused("as the test wants")) { try await ended.value }
            over.signal()
            try await script
        }
    }

    @Test("A worker whose session was superseded by its own late HELLO takes it back, and claims its leases")
    func superseded() async throws {
        try await withWorker([HangHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1)
            while scheduler.heartbeats.last?.running != 1 { try scheduler.awaitHeartbeats(1) }
            try scheduler.fault(.superseded)
            scheduler.stamp.session = 2
            #expect(try scheduler.greet().claims.map(\.token) == [1])
            try scheduler.tell(.revoke, [1], reason: .cancelled)
            #expect(try scheduler.outcomes(1).map(\.ending) == [.cancelled])
        }
    }
}
