import StatexHandlerAPI
import StatexProtocol
import Testing

@testable import StatexHandlers

@Suite("Native handlers")
struct NativeHandlerTests {
    func job(_ payload: String = "", attempt: Int = 1, cancellation: Cancellation = Cancellation()) -> Job {
        Job(
            id: JobID(rawValue: 1), kind: "test", attempt: attempt, payload: .bytes(Array(payload.utf8)),
            cancellation: cancellation)
    }

    @Test("Each kind is there once")
    func kinds() {
        let kinds = NativeHandlers.all.map(\.kind)
        #expect(kinds == ["noop", "echo", "sleep", "fail", "crash", "hang", "stream"])
        #expect(NativeHandlers.named("sleep")?.kind == "sleep")
        #expect(NativeHandlers.named("audio") == nil)
    }

    @Test("noop returns nothing, echo its payload, also a reference")
    func noopAndEcho() async throws {
        #expect(try await NoopHandler().run(job("x")) == .bytes([]))
        #expect(try await EchoHandler().run(job("x")) == .bytes([120]))
        let reference = Payload.object(reference: [1, 2])
        let large = Job(id: JobID(rawValue: 1), kind: "echo", attempt: 1, payload: reference)
        #expect(try await EchoHandler().run(large) == reference)
        let inputs = [JobInput(job: 0, payload: .bytes([1])), JobInput(job: 2, payload: reference)]
        func echo(_ payload: [UInt8], _ inputs: [JobInput]) async throws -> Payload {
            try await EchoHandler().run(
                Job(id: JobID(rawValue: 1), kind: "echo", attempt: 1, payload: .bytes(payload), inputs: inputs))
        }
        #expect(try await echo([], [inputs[1]]) == reference)
        #expect(try await echo([9], [inputs[0]]) == .bytes([9, 1]))
        await #expect(throws: HandlerError.self) { try await echo([], inputs) }
    }

    @Test(
        "sleep ends by itself, and refuses what is not a time",
        arguments: ["", "{}", #"{"ms":-1}"#, #"{"ms":86400001}"#, #"{"ms":"1"}"#, "[]", "{\"ms\":1"])
    func sleep(_ payload: String) async throws {
        #expect(try await SleepHandler().run(job(#"{"ms":1}"#)) == .bytes([]))
        await #expect { try await SleepHandler().run(job(payload)) } throws: { error in
            guard let error = error as? HandlerError else { return false }
            return error.errorClass == "bad_payload" && !error.retryable
        }
    }

    @Test("sleep and hang stop when they are told to", arguments: ["sleep", "hang"])
    func stops(_ kind: String) async throws {
        let handler = try #require(NativeHandlers.named(kind))
        let cancellation = Cancellation()
        let sleeping = job(kind == "sleep" ? #"{"ms":60000}"# : "", cancellation: cancellation)
        cancellation.cancel(.timeout)
        await #expect { try await handler.run(sleeping) } throws: { ($0 as? HandlerError)?.errorClass == "stopped" }
    }

    @Test("fail fails as it is told to, and so many times")
    func fails() async throws {
        let payload = #"{"message":"why","retryable":false,"retry_after_ms":20,"attempts":2}"#
        let expected = HandlerError("asked_to_fail", "why", retryable: false, retryAfterMilliseconds: 20)
        await #expect(throws: expected) { try await FailHandler().run(job(payload, attempt: 2)) }
        #expect(try await FailHandler().run(job(payload, attempt: 3)) == .bytes([]))
        await #expect(throws: HandlerError("asked_to_fail", "failed as asked")) { try await FailHandler().run(job()) }
    }

    @Test("Cancelling a body that waits ends it; a body that is done leaves nothing behind")
    func cancelling() async throws {
        let cancellation = Cancellation()
        #expect(try await cancellation.cancelling { 7 } == 7)
        cancellation.cancel(.cancelled)
        await #expect(throws: CancellationError.self) {
            try await cancellation.cancelling { try await Task.sleep(for: .seconds(600)) }
        }
    }
}
