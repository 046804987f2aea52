import FoundationEssentials
import StatexClient

extension QueueBehaviour {
    static let ends = [
        QueueBehaviour("a failed attempt is tried again") { queue in
            let job = try await queue.end(of: Request("fail", #"{"attempts": 2, "retry_after_ms": 1}"#))
            try require(job.state == .succeeded && job.attempts == 3 && job.losses == 0, "\(job)")
        },
        QueueBehaviour("a job whose attempts are used up is dead, with its last error") { queue in
            let request = Request("fail", #"{"message": "no luck", "retry_after_ms": 1}"#) { $0.attempts = 2 }
            let job = try await queue.end(of: request)
            try require(job.state == .dead && job.attempts == 2 && job.result == nil, "\(job)")
            try require(job.error == ErrorText("asked_to_fail", "no luck"), "\(job)")
            try await require(queue.status(ofRequest: job.request).state == .failed, "the request did not fail")
        },
        QueueBehaviour("an error that must not be retried fails the job at once") { queue in
            let job = try await queue.end(of: Request("fail", #"{"retryable": false}"#))
            try require(job.state == .failed && job.attempts == 1, "\(job)")
        },
    ]

    static let stopping = [
        QueueBehaviour("a queued job is cancelled, once") { queue in
            let handle = try await queue.submit(
                Request([JobSpec(kind: "nobody", payload: .text("")), JobSpec(kind: "nobody", payload: .text(""))]))
            try await require(handle.status().state == .open, "it is not open")
            try await require(handle.status().jobs.allSatisfy { $0.state == .queued && $0.attempts == 0 }, "not queued")
            try await require(queue.cancel(job: handle.jobIDs[1]), "the job was not open")
            try await require(handle.cancel() == 1, "not one open job was reached")
            let result = try await handle.result()
            try require(result.state == .cancelled && result.jobs.allSatisfy { $0.state == .cancelled }, "\(result)")
            try await require(handle.cancel() == 0, "something was still open")
        },
        QueueBehaviour("a running job is stopped when it is cancelled") { queue in
            let handle = try await queue.submit(Request("hang", "{}"))
            try await require(handle.cancel() == 1, "it was not open")
            try await require(handle.result().state == .cancelled, "another end")
        },
        QueueBehaviour("an attempt past its run-time limit is stopped and has failed") { queue in
            let job = try await queue.end(
                of: Request("hang", "{}") {
                    $0.runLimit = .milliseconds(50)
                    $0.attempts = 1
                })
            try require(job.state == .dead && job.error?.errorClass == "timeout", "\(job)")
        },
        QueueBehaviour("a task that is cancelled stops waiting; the job goes on") { queue in
            let handle = try await queue.submit(Request("nobody"))
            let waiting = Task { await Result { () async throws(ClientError) in try await handle.result() } }
            waiting.cancel()
            try await require(waiting.value == .failure(.cancelled), "it waited on")
            try await require(handle.status().state == .open, "the job ended")
            _ = try await handle.cancel()
        },
    ]

    static let times = [
        QueueBehaviour("a job starts no sooner than asked") { queue in
            let start = Date().addingTimeInterval(0.3)
            let handle = try await queue.submit(Request("echo") { $0.startAt = start })
            let job = try await handle.result().jobs[0]
            // A float holds the time that lies between the end and its commit: to a millisecond.
            try require(
                job.state == .succeeded && (job.ended ?? .distantPast) > start.addingTimeInterval(-0.001), "\(job)")
        },
        QueueBehaviour("a job that is not final by its deadline is expired") { queue in
            let job = try await queue.end(of: Request("nobody") { $0.deadline = Date().addingTimeInterval(0.1) })
            try require(job.state == .expired && job.attempts == 0, "\(job)")
            try await require(queue.status(ofRequest: job.request).state == .failed, "the request did not fail")
        },
    ]

    static let asking = [
        QueueBehaviour("whoever knows an id reads how it ended, at any time") { queue in
            let handle = try await queue.submit(
                Request([JobSpec(kind: "echo", payload: .text("a")), JobSpec(kind: "echo", payload: .text("b"))]))
            let result = try await handle.result()
            try await require(queue.status(ofRequest: handle.id) == result, "another status")
            try await require(queue.result(ofRequest: handle.id) == result, "another result")
            try await require(queue.result(ofJob: handle.jobIDs[1]) == result.jobs[1], "another job")
            try await require(queue.bytes(of: result.jobs[1].result ?? .bytes([])) == Array("b".utf8), "other bytes")
        },
        QueueBehaviour("an id that nobody has is unknown, and a job's id is not a request's") { queue in
            let handle = try await queue.submit(
                Request([JobSpec(kind: "echo", payload: .text("")), JobSpec(kind: "echo", payload: .text(""))]))
            _ = try await handle.result()
            let nobody = JobID(rawValue: 5)
            try await require(refusal { _ = try await queue.result(ofJob: nobody) } == .unknown(nobody), "known")
            try await require(queue.cancel(request: nobody) == 0, "something was reached")
            guard case .invalid = try await refusal({ _ = try await queue.status(ofRequest: handle.jobIDs[1]) }) else {
                throw Unmet(description: "a job was taken for a request")
            }
        },
    ]
}

extension Result where Success: Sendable {
    /// What `body` returns or throws.
    init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
