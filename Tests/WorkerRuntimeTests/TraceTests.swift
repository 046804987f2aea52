import CollectorTestServer
import StatexHandlerAPI
import StatexProtocol
import StatexTracing
import StatexWorkerTraces
import Synchronization
import Testing

@testable import StatexWorkerRuntime

/// Says which trace each of its jobs was given.
private final class Traced: BatchHandler {
    let kind = "traced"
    let batchSize: Int
    let batchWaitMilliseconds = 10_000

    init(batch: Int) { batchSize = batch }

    func run(_ jobs: [Job]) async throws -> [Result<Payload, HandlerError>] {
        jobs.map { job in
            job.payload == .bytes(Array("fail".utf8))
                ? .failure(HandlerError("asked", ""))
                : .success(.bytes(Array("\(job.trace.map { "\($0)" } ?? "none")".utf8)))
        }
    }
}

@Suite("Traces", .timeLimit(.minutes(1)))
struct TraceTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private let spans = SpanQueue()

    private func options(records: Bool = true) -> WorkerOptions {
        .with {
            $0.name = "w"
            $0.spans = records ? spans : nil
        }
    }

    private static func body(_ outcome: FakeScheduler.Outcome) -> String {
        String(decoding: outcome.body, as: UTF8.self)
    }

    private func attribute(_ name: String, of span: Span) -> Span.Value? {
        span.attributes.first { $0.0 == name }?.1
    }

    @Test("A worker that is a program of its own sends its spans to a collector, the last ones at its end")
    func exported() async throws {
        let parent = try #require(TraceContext(Self.parent))
        let collector = try Collector()
        let traces = try WorkerTraces(to: collector.endpoint + "/v1/traces", service: "mine", instance: "w")
        var options = options(records: false)
        options.setTraces(traces)
        try await traces.exported {
            _ = try await withWorker([EchoTrace()], options: options) { _, scheduler in
                _ = try scheduler.greet()
                try scheduler.lease(1...1, trace: parent)
                _ = try scheduler.outcomes(1)
            }
        }
        let spans = try collector.spans()
        #expect(Set(spans.map(\.name)) == ["wait", "attempt"] && spans.allSatisfy { $0.service == "mine" })
    }

    @Test("A collector's URL that is none is refused", arguments: ["", "collector:4318", "ftp://collector/"])
    func noCollector(url: String) {
        #expect(throws: WorkerError.self) { try WorkerTraces(to: url) }
    }

    @Test("A first attempt is two spans below the submit; the handler is given the attempt")
    func first() async throws {
        let parent = try #require(TraceContext(Self.parent))
        try await withWorker([EchoTrace()], options: options()) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, trace: parent)
            let outcome = try scheduler.outcomes(1)[0]
            let recorded = spans.take()
            #expect(recorded.map(\.name) == ["wait", "attempt"] && recorded.map(\.kind) == [.internal, .consumer])
            #expect(recorded.allSatisfy { $0.parent == parent && $0.context.traceID == parent.traceID })
            let (wait, attempt) = (recorded[0], recorded[1])
            #expect(Self.body(outcome) == "\(attempt.context)")
            #expect(wait.end == attempt.start && wait.end - wait.start >= 1_500, "it waited 1,500 µs before its lease")
            #expect(attribute("statex.job", of: wait) == .text("\(FakeScheduler.id(1))"))
            #expect(attribute("statex.request", of: wait) == .text("\(FakeScheduler.id(0))"))
            #expect(attribute("statex.tenant", of: attempt) == .text("acme"))
            #expect(attribute("statex.worker", of: attempt) == .text("w"))
            #expect(attribute("statex.outcome", of: attempt) == .text("succeeded"))
            #expect(attribute("statex.attempt", of: attempt) == .number(1) && attempt.failure == nil)
        }
    }

    @Test("A later attempt is one span; what failed says its class")
    func later() async throws {
        let parent = try #require(TraceContext(Self.parent))
        try await withWorker([Traced(batch: 1)], options: options()) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: "fail", attempt: 2, trace: parent)
            _ = try scheduler.outcomes(1)
            let recorded = spans.take()
            #expect(recorded.map(\.name) == ["attempt"] && recorded[0].failure == "asked")
            #expect(attribute("error.type", of: recorded[0]) == .text("asked"))
            #expect(attribute("statex.outcome", of: recorded[0]) == .text("failed"))
        }
    }

    @Test("What was told to stop says why it ended")
    func stopped() async throws {
        let parent = try #require(TraceContext(Self.parent))
        let handler = ClosureHandler("hang") { job in
            await withCheckedContinuation { continuation in
                job.cancellation.onCancel { _ in continuation.resume() }
            }
            throw HandlerError("stopped", "")
        }
        let options = options()
        try await withWorker(slots: 3, [handler], options: options) { stage, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, limit: 1, attempt: 2, trace: parent)
            _ = try scheduler.outcomes(1)
            let timeout = spans.take()
            #expect(timeout.count == 1 && attribute("error.type", of: timeout[0]) == .text("timeout"))
            try scheduler.lease(2...2, attempt: 2, trace: parent)
            try scheduler.tell(.revoke, [2], reason: .cancelled)
            let cancelled = try scheduler.outcomes(1)[0]
            #expect(cancelled.ending == .cancelled)
            // One that had not begun was no attempt.
            let recorded = spans.take()
            #expect(
                recorded.allSatisfy { attribute("statex.outcome", of: $0) == .text("cancelled") && $0.failure == nil })
        }
    }

    @Test("Jobs that run together are a span each, of the whole call")
    func batch() async throws {
        let parent = try #require(TraceContext(Self.parent))
        try await withWorker([Traced(batch: 2)], options: options()) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...2, payload: "x", affinity: "tiny", trace: parent)
            let outcomes = try scheduler.outcomes(2).sorted { $0.token < $1.token }
            let attempts = spans.take().filter { $0.name == "attempt" }
            #expect(outcomes.map(Self.body) == attempts.map { "\($0.context)" })
            #expect(attempts.count == 2 && Set(attempts.map(\.start)).count == 1)
        }
    }

    @Test("Where nothing is recorded a trace is passed on as it came; without one there is none")
    func passedOn() async throws {
        let sampled = try #require(TraceContext(Self.parent))
        let silent = try #require(TraceContext(String(Self.parent.dropLast()) + "0"))
        for (records, trace) in [(false, sampled), (true, silent)] {
            try await withWorker([EchoTrace()], options: options(records: records)) { _, scheduler in
                _ = try scheduler.greet()
                try scheduler.lease(1...1, trace: trace)
                #expect(try scheduler.outcomes(1).map(Self.body) == ["\(trace)"])
                try scheduler.lease(2...2)
                #expect(try scheduler.outcomes(1).map(Self.body) == ["none"])
            }
        }
        #expect(spans.waiting == 0)
    }
}

private struct EchoTrace: Handler {
    let kind = "traced"
    func run(_ job: Job) async throws -> Payload { .bytes(Array("\(job.trace.map { "\($0)" } ?? "none")".utf8)) }
}
