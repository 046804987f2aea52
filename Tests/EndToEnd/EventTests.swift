import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// What the scheduler publishes, and what the journal has of it.
    @Suite struct EventTests {
        /// One JSON object a line.
        private static func lines(_ text: String) -> [String] {
            text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("{") }
        }

        private static func member(_ name: String, of line: String) -> String {
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?[name] as? String ?? ""
        }

        private static func isOfWorker(_ line: String) -> Bool { member("event", of: line).hasPrefix("worker.") }

        /// `statex events --follow --json`, once the scheduler knows that somebody listens.
        private func follower(
            _ stack: TestStack, _ arguments: [String] = [], until scheduler: RunningProcess, _ client: Client
        ) async throws -> RunningProcess {
            let follower = try stack.launchEvents(["--follow", "--json"] + arguments)
            try await scheduler.eventually("somebody subscribes") {
                try await client.schedulerStatus().contains("\"subscribed\":true")
            }
            return follower
        }

        /// Requests of all sorts, of several tenants, that end in every way; one is left to be cancelled.
        private func mixed() -> (all: [Request], toCancel: Request) {
            func job(_ kind: String, _ payload: String = "", after: [Int] = []) -> JobSpec {
                var job = JobSpec(kind: kind, payload: .text(payload))
                job.after = after
                return job
            }
            var late = job("hang")
            late.deadline = Date().addingTimeInterval(1)
            var few = job("fail", #"{"retry_after_ms": 10}"#)
            few.attempts = 2
            let retried = job("fail", #"{"attempts": 2, "retry_after_ms": 10}"#)
            let failed = job("fail", #"{"retryable": false}"#)
            let all = [
                Request([job("echo", "a")]), Request([job("echo"), job("echo"), job("noop")], tenant: "acme"),
                Request([retried, job("echo", "b", after: [0])], tenant: "acme"), Request([few], tenant: "globex"),
                Request([failed, job("echo", after: [0]), job("echo", after: [1]), job("noop")], tenant: "globex"),
                Request([late]), Request((0..<300).map { _ in job("noop") }, tenant: "initech"),
            ]
            return (all, Request([job("hang"), job("noop")], tenant: "acme"))
        }

        @Test func `what was heard is, line for line, what the journal says afterwards`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let client = try await stack.client()
                let follower = try await follower(stack, until: scheduler, client)
                _ = try stack.startWorker("one", slots: 4)
                let crashing = try stack.startWorker("two", slots: 4)
                let requests = mixed()
                let handles = try await client.submit(contentsOf: requests.all)
                let cancelled = try await client.submit(requests.toCancel)
                try await scheduler.eventually("it runs") {
                    try await cancelled.status().jobs[0].state == .leased
                }
                try crashing.kill()
                _ = try await cancelled.cancel()
                for handle in handles + [cancelled] { _ = try await handle.result() }
                let letter = handles[3].id
                #expect(try stack.run("retry", letter.description).end == .exited(0))
                try await scheduler.eventually("the retry is dead too") {
                    try stack.number("SELECT count(*) FROM statex.dead_letters WHERE state = 'dead'") == 2
                }

                let journal = Self.lines(try stack.events(["--since", "1h"]).said)
                // A worker is lost when its grace is over, whatever the journal has by then.
                try await follower.eventually("all was heard, and who was lost") {
                    let lines = Self.lines(follower.said)
                    return lines.count { !Self.isOfWorker($0) } >= journal.count
                        && lines.contains { Self.member("event", of: $0) == "worker.lost" }
                }
                let heard = Self.lines(follower.said)
                #expect(heard.filter { !Self.isOfWorker($0) } == journal)
                let names = Set(heard.map { Self.member("event", of: $0) })
                let expected = EventType.allCases.map(\.name).filter { $0 != "worker.left" }
                #expect(names == Set(expected))

                try judge(journal, handles + [cancelled], stack)
                // From any event on, and of one tenant.
                let middle = journal[journal.count / 2]
                let rest = try stack.events(["--since", Self.member("sequence", of: middle)]).said
                #expect(Self.lines(rest) == Array(journal.suffix(from: journal.count / 2 + 1)))
                let acme = Self.lines(try stack.events(["--since", "1h", "--tenant", "acme"]).said)
                #expect(acme == journal.filter { Self.member("tenant", of: $0) == "acme" })
                await client.close()
            }
        }

        /// Each final outcome once, and of each request one beginning and one end, and that is true.
        private func judge(_ lines: [String], _ handles: [RequestHandle], _ stack: TestStack) throws {
            func count(_ event: String, _ id: String) -> Int {
                lines.count { Self.member("event", of: $0) == event && Self.member("id", of: $0) == id }
            }
            for row in try stack.rows("SELECT id, state FROM statex.job_status", columns: 2) {
                #expect(count("job.\(row[1])", row[0]) == 1, "job \(row[0]) is \(row[1])")
            }
            let finals = Set(["job.succeeded", "job.failed", "job.dead", "job.cancelled", "job.expired"])
            #expect(lines.count { finals.contains(Self.member("event", of: $0)) } == (try stack.jobCount))
            let ends = ["completed", "completed", "completed", "failed", "failed", "failed", "completed", "cancelled"]
            for (handle, end) in zip(handles, ends) {
                #expect(count("request.created", handle.id.description) == 1)
                for other in ["completed", "failed", "cancelled"] {
                    #expect(count("request.\(other)", handle.id.description) == (other == end ? 1 : 0), "\(end)")
                }
            }
            #expect(lines.count { Self.member("event", of: $0).hasPrefix("request.") } == 2 * handles.count)
        }

        @Test func `following goes on over a restart of the scheduler, and misses nothing of it`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                let follower = try await follower(stack, until: first, client)
                let gate = try stack.gate()
                let worker = try stack.startGateWorker("w")
                let handle = try await client.submit(gate.request)
                let visitor = try gate.next()

                // Events that are committed while the follower is not connected: it is stopped meanwhile.
                follower.signal(SIGSTOP)
                let unseen = try await client.submit(
                    contentsOf: (0..<40).map { _ in Request(kind: "noop", payload: .bytes([]), tenant: "acme") })
                try first.kill()
                let second = try stack.startScheduler()
                _ = try stack.startWorker("n")
                for handle in unseen { _ = try await handle.result() }
                follower.signal(SIGCONT)
                visitor.succeed()
                _ = try await handle.result()
                try await second.eventually("the follower is back") {
                    try await client.schedulerStatus().contains("\"subscribed\":true")
                }
                _ = try await client.submit(Request(kind: "noop", payload: .bytes([]))).result()

                let journal = Self.lines(try stack.events(["--since", "1h"]).said)
                try await follower.eventually("all was heard") {
                    Self.lines(follower.said).count { !Self.isOfWorker($0) } >= journal.count
                }
                #expect(Self.lines(follower.said).filter { !Self.isOfWorker($0) } == journal)
                #expect(worker.end == nil)
                await client.close()
            }
        }

        @Test func `a Swift service hears that its request is complete`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                let stream = try EventStream(stack.eventsEndpoint())
                try await scheduler.eventually("somebody subscribes") {
                    try await client.schedulerStatus().contains("\"subscribed\":true")
                }
                let handle = try await client.submit(Request(kind: "echo", payload: .text("x"), tenant: "acme"))
                var types: [EventType] = []
                for await news in stream {
                    guard case .event(let event) = news, event.request == handle.id else { continue }
                    #expect(event.tenant == "acme" && event.kind == "echo")
                    types.append(event.type)
                    if event.type == .requestCompleted { break }
                }
                #expect(types == [.requestCreated, .jobLeased, .jobSucceeded, .requestCompleted])
                await client.close()
            }
        }
    }
}
