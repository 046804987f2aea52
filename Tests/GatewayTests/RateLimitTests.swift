import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import StatexGateway

/// A subject that asks too often waits; others do not notice.
struct RateLimitTests {
    /// How many of `count` requests are let through.
    private func admitted(_ count: Int, of subject: String, by limits: RateLimits, at now: Double) -> Int {
        (0..<count).filter { _ in (try? limits.take(subject, at: .seconds(now))) != nil }.count
    }

    @Test func `a second's worth may come at once, and then as many as time has passed for`() {
        let limits = RateLimits(perSecond: 10)
        #expect(admitted(20, of: "ada", by: limits, at: 100) == 10)
        #expect(admitted(20, of: "bob", by: limits, at: 100) == 10)
        #expect(admitted(20, of: "ada", by: limits, at: 100.35) == 3)
        #expect(admitted(20, of: "ada", by: limits, at: 500) == 10)
    }

    @Test func `it is told how long to wait`() throws {
        let limits = RateLimits(perSecond: 1)
        try limits.take("ada", at: .seconds(0))
        let refusal = #expect(throws: Problem.self) { try limits.take("ada", at: .seconds(0.2)) }
        #expect(refusal?.status == .tooManyRequests && refusal?.headers[.retryAfter] == "1")
        try limits.take("ada", at: .seconds(1.01))
    }

    @Test func `the table is bounded: who finds no room shares a bucket, and who rests is forgotten`() {
        let limits = RateLimits(perSecond: 2, subjects: 100)
        for index in 0..<100 { #expect(admitted(2, of: "s\(index)", by: limits, at: 10) == 2) }
        // All of these together.
        #expect((0..<50).map { admitted(2, of: "t\($0)", by: limits, at: 10) }.reduce(0, +) == 2)
        #expect(limits.kept == 101)
        // Those of before still have what is theirs.
        #expect(admitted(2, of: "s7", by: limits, at: 10) == 0)
        #expect(admitted(2, of: "new", by: limits, at: 12) == 2)
        #expect(limits.kept == 1)
    }

    @Test func `the gateway answers 429 to a subject that asks too often, and goes on for others`() async throws {
        let scene = try await Scene(requestsPerSecond: 5)
        let ada = Scene.bearer(try await Scene.token(subject: "ada"))
        let bob = Scene.bearer(try await Scene.token(subject: "bob"))
        try await scene.gateway.application().test(.router) { client in
            var statuses: [HTTPResponse.Status] = []
            for _ in 0..<20 {
                let response = try await client.execute(uri: "/v1/jobs/x", method: .get, headers: ada)
                statuses.append(response.status)
                guard response.status == .tooManyRequests else { continue }
                #expect(response.headers[.retryAfter] == "1")
                #expect(try ReadProblem(response).code == "too_fast")
            }
            #expect(statuses.prefix(5).allSatisfy { $0 == .unprocessableContent })
            #expect(statuses.contains(.tooManyRequests))
            let other = try await client.execute(uri: "/v1/jobs/x", method: .get, headers: bob)
            #expect(other.status == .unprocessableContent)
            // What needs no token is for everybody.
            #expect(try await client.execute(uri: "/livez", method: .get, headers: ada).status == .ok)
        }
    }
}
