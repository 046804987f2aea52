// What every `JobQueue` does, whatever is behind it: run against the twin here, and against a real client,
// scheduler, worker and Postgres in the end-to-end tests. It depends on no test library, so any target may use it.

import StatexClient

/// One behaviour, named as a sentence.
package struct QueueBehaviour: Sendable, CustomStringConvertible {
    package let description: String
    private let show: @Sendable (any JobQueue) async throws -> Void

    init(_ description: String, _ show: @escaping @Sendable (any JobQueue) async throws -> Void) {
        self.description = description
        self.show = show
    }

    /// Throws what `queue` does otherwise. Behind it are the native handlers `echo`, `fail`, `sleep`, `hang` and `stream`, in at
    /// least one slot, and nobody for the kind `nobody`.
    package func run(on queue: some JobQueue) async throws { try await show(queue) }

    package static let all = submitting + keys + ends + dependencies + stopping + times + asking + following
}

/// A behaviour that was not shown.
package struct Unmet: Error, CustomStringConvertible {
    package let description: String
}

func require(_ isSo: Bool, _ what: @autoclosure () -> String, line: Int = #line) throws {
    guard isSo else { throw Unmet(description: "\(what()) (line \(line))") }
}

/// The error that `body` throws.
func refusal(_ body: () async throws -> Void) async throws -> ClientError {
    do { try await body() } catch let error as ClientError { return error }
    throw Unmet(description: "nothing was refused")
}

extension Request {
    /// One job, changed as a test needs it.
    init(_ kind: String, _ payload: String = "", _ change: (inout JobSpec) -> Void = { _ in }) {
        var job = JobSpec(kind: kind, payload: .text(payload))
        change(&job)
        self.init([job])
    }
}

extension JobQueue {
    /// Submits one job and returns how it ended.
    func end(of request: Request) async throws -> JobStatus {
        let result = try await submit(request).result()
        guard let job = result.jobs.first else { throw Unmet(description: "a request without jobs") }
        return job
    }
}
