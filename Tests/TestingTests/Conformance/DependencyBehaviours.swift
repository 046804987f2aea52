import StatexClient

extension QueueBehaviour {
    static let dependencies = [
        QueueBehaviour("a job waits for others of its request and is given their results, in order") { queue in
            var both = JobSpec(kind: "echo", payload: .text(">"))
            both.inputs = [1, 0]
            var last = JobSpec(kind: "echo")
            last.inputs = [2]
            last.after = [0, 1]
            let handle = try await queue.submit(
                Request([
                    JobSpec(kind: "echo", payload: .text("a")), JobSpec(kind: "echo", payload: .text("b")), both, last,
                ]))
            let result = try await handle.result()
            try require(result.jobs.map(\.text) == ["a", "b", ">ab", ">ab"], "\(result)")
        },
        QueueBehaviour("a job that waits is blocked, and cancelled with its request") { queue in
            let handle = try await queue.submit(chain("nobody"))
            try await require(handle.status().jobs.map(\.state) == [.queued, .blocked, .blocked], "not blocked")
            try await require(handle.cancel() == 3, "not all were reached")
            let result = try await handle.result()
            try require(result.jobs.allSatisfy { $0.state == .cancelled && $0.error == nil }, "\(result)")
        },
        QueueBehaviour("what waits for a job that fails is skipped, and says why") { queue in
            let result = try await queue.submit(chain("fail", #"{"retryable": false}"#)).result()
            try require(result.jobs.map(\.state) == [.failed, .cancelled, .cancelled], "\(result)")
            let why = ErrorText(
                "dependency", "not run: a job it waits for (kind fail) ended as failed\njob \(result.id)")
            try require(result.jobs[1].error == why && result.jobs[1].attempts == 0, "\(result)")
            try require(result.state == .failed, "\(result.state)")
        },
        QueueBehaviour("what waits for a job that fails does so too, if its request says that") { queue in
            var request = chain("fail", #"{"retryable": false}"#)
            request.failsDependants = true
            let result = try await queue.submit(request).result()
            try require(result.jobs.map(\.state) == [.failed, .failed, .failed], "\(result)")
        },
        QueueBehaviour("a job can only wait for one that stands before it") { queue in
            var request = chain("echo")
            request.jobs[1].after = [1]
            let error = try await refusal { _ = try await queue.submit(request) }
            guard case .invalid(let text) = error else { throw Unmet(description: "\(error)") }
            try require(text.hasPrefix("after of job 1 names job 1"), text)
        },
    ]

    /// One job, another after it, and one on the result of that.
    private static func chain(_ kind: String, _ payload: String = "") -> Request {
        var request = Request([
            JobSpec(kind: kind, payload: .text(payload)), JobSpec(kind: "echo"), JobSpec(kind: "echo"),
        ])
        request.jobs[1].after = [0]
        request.jobs[2].inputs = [1]
        return request
    }
}
