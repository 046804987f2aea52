import FoundationEssentials
import StatexHandlers
import StatexTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct InMemoryStatexTests {
    private let notebook = Notebook()

    @Test func `five lines test a handler`() async throws {
        let greeter = TestHandler("mine") { _ in .text("Hello back") }
        let statex = try InMemoryStatex(handlers: [greeter], slots: 2)
        let handle = try await statex.submit(Request(kind: "mine", payload: .text("Hello")))
        let result = try await handle.result()
        #expect(result.jobs[0].text == "Hello back")
        await statex.close()
    }

    @Test func `a handler is told which trace its job belongs to`() async throws {
        let handler = TestHandler("mine") { job in .bytes(Array("\(job.trace.map { "\($0)" } ?? "none")".utf8)) }
        let statex = try InMemoryStatex(handlers: [handler])
        var job = JobSpec(kind: "mine")
        job.traceparent = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        let result = try await statex.submit(Request([job, JobSpec(kind: "mine")])).result()
        #expect(result.jobs.map(\.text) == [job.traceparent?.description, "none"])
        await statex.close()
    }

    @Test func `jobs of a better priority start first`() async throws {
        let handler = TestHandler("mine") { [notebook] job in
            guard case .bytes(let name) = job.payload else { return job.payload }
            notebook.write(String(decoding: name, as: UTF8.self))
            await notebook.waitAtTheDoor()
            return job.payload
        }
        let statex = try InMemoryStatex(handlers: [handler])
        func submit(_ name: String, priority: Int) async throws -> RequestHandle {
            var job = JobSpec(kind: "mine", payload: .text(name))
            job.priority = priority
            return try await statex.submit(Request([job]))
        }
        // The first one holds the only slot while the others line up.
        var handles = [try await submit("first", priority: 9)]
        await notebook.reaches(1)
        for (name, priority) in [("last", 9), ("middle", 5), ("best", 0)] {
            handles.append(try await submit(name, priority: priority))
        }
        notebook.openTheDoor()
        for handle in handles { _ = try await handle.result() }
        #expect(notebook.lines == ["first", "best", "middle", "last"])
    }

    @Test func `as many jobs run at once as there are slots, and may block their threads`() async throws {
        let statex = try InMemoryStatex(handlers: NativeHandlers.all, slots: 8)
        let hanging = try await statex.submit(
            Request((0..<9).map { _ in JobSpec(kind: "hang", payload: .text("{}")) }))
        let states = try await hanging.status().jobs.map(\.state)
        #expect(states.filter { $0 == .leased }.count == 8)
        #expect(states.filter { $0 == .queued }.count == 1)
        #expect(try await statex.cancel(job: hanging.jobIDs[0]))
        #expect(try await statex.result(ofJob: hanging.jobIDs[0]).state == .cancelled)
        #expect(try await hanging.cancel() == 8)
        #expect(try await hanging.result().state == .cancelled)
    }

    @Test func `a kind that is unavailable gets no job, and status says why`() async throws {
        let statex = try InMemoryStatex(handlers: [
            TestHandler("mine", missing: "the model is not here") { $0.payload }
        ])
        let handle = try await statex.submit(Request(kind: "mine", payload: .text("")))
        #expect(try await handle.status().jobs[0].state == .queued)
        #expect(try await statex.schedulerStatus().contains("the model is not here"))
    }

    @Test func `what a handler says in an error is cut to what a journal takes`() async throws {
        struct Odd: Error, CustomStringConvertible {
            let description = "odd\0" + String(repeating: "é", count: 5_000)
        }
        let statex = try InMemoryStatex(handlers: [
            TestHandler("odd") { _ in throw Odd() },
            TestHandler("class") { _ in
                throw HandlerError(String(repeating: "ü\0", count: 100), "m", retryable: false)
            },
        ])
        var odd = JobSpec(kind: "odd", payload: .text(""))
        odd.attempts = 1
        let result = try await statex.submit(Request([odd, JobSpec(kind: "class", payload: .text(""))])).result()
        let message = try #require(result.jobs[0].error?.message)
        #expect(message.hasPrefix("odd\u{FFFD}éé") && message.utf8.count <= Limits.errorMessageBytes)
        #expect(result.jobs[0].error?.errorClass == "error")
        #expect(result.jobs[1].error?.errorClass == String(repeating: "_", count: Limits.errorClassBytes))
    }

    @Test func `large payloads and results go through the object folder, if there is one`() async throws {
        let large = [UInt8](repeating: 7, count: Limits.inlineBytes + 1)
        let handlers = [TestHandler("echo") { $0.payload }, TestHandler("large") { _ in .bytes(large) }]
        let without = try InMemoryStatex(handlers: handlers)
        await #expect(throws: ClientError.self) {
            try await without.submit(Request(kind: "echo", payload: .bytes(large)))
        }
        let refused = try await without.submit(Request(kind: "large", payload: .text(""))).result().jobs[0]
        #expect(refused.state == .failed && refused.error?.errorClass == "result_too_large")

        let folder = FileManager.default.temporaryDirectory.path + "/statex-twin-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let statex = try InMemoryStatex(handlers: handlers, objectFolder: folder)
        for (kind, payload) in [("echo", large), ("large", [])] {
            let job = try await statex.submit(Request(kind: kind, payload: .bytes(payload))).result().jobs[0]
            guard case .object = job.result else {
                Issue.record("\(kind): no object, but \(job)")
                continue
            }
            #expect(try await statex.bytes(of: job.result ?? .bytes([])) == large)
        }
    }

    @Test func `ten thousand jobs of one call are done`() async throws {
        let statex = try InMemoryStatex(handlers: NativeHandlers.all, slots: 2)
        let requests = (0..<100).map { _ in
            Request((0..<100).map { JobSpec(kind: "echo", payload: .text("\($0)")) })
        }
        for handle in try await statex.submit(contentsOf: requests) {
            let result = try await handle.result()
            #expect(result.state == .succeeded)
            #expect(result.jobs.map(\.text) == (0..<100).map { "\($0)" })
        }
    }

    @Test func `two twins know nothing of each other`() async throws {
        let request = Request(kind: "echo", payload: .text("a"), key: "the same")
        let (one, two) = (try InMemoryStatex(handlers: []), try InMemoryStatex(handlers: []))
        #expect(try await !one.submit(request).isRepeated)
        #expect(try await !two.submit(request).isRepeated)
        #expect(try await one.submit(request).isRepeated)
    }

    @Test func `a handle keeps its twin`() async throws {
        func handle() async throws -> RequestHandle {
            let statex = try InMemoryStatex(handlers: [TestHandler("echo") { $0.payload }])
            return try await statex.submit(Request(kind: "echo", payload: .text("still here")))
        }
        #expect(try await handle().result().jobs.map(\.text) == ["still here"])
    }

    @Test func `closing ends what waits, and tells handlers to stop`() async throws {
        let handler = TestHandler("mine") { [notebook] job in
            notebook.write("runs")
            job.cancellation.onCancel { _ in notebook.openTheDoor() }
            await notebook.waitAtTheDoor()
            notebook.write("stopped")
            return job.payload
        }
        let statex = try InMemoryStatex(handlers: [handler])
        let handle = try await statex.submit(Request(kind: "mine", payload: .text("")))
        await notebook.reaches(1)
        let result = Task { try await handle.result() }
        await statex.close()
        await #expect(throws: ClientError.closed) { try await result.value }
        await notebook.reaches(2)
        await #expect(throws: ClientError.closed) {
            _ = try await statex.submit(Request(kind: "a", payload: .text("")))
        }
    }

    @Test func `handlers and slots that no worker could have are refused`() {
        let echo = TestHandler("echo") { $0.payload }
        #expect(throws: ClientError.self) { try InMemoryStatex(handlers: [echo], slots: 0) }
        #expect(throws: ClientError.self) { try InMemoryStatex(handlers: [echo, echo]) }
        #expect(throws: ClientError.self) { try InMemoryStatex(handlers: [TestHandler("") { $0.payload }]) }
        #expect(throws: ClientError.self) { try InMemoryStatex(handlers: [echo], objectFolder: "/proc/none") }
    }
}
