import StatexClient

extension QueueBehaviour {
    static let submitting = [
        QueueBehaviour("the jobs of a request succeed with their results in order") { queue in
            let handle = try await queue.submit(
                Request((0..<5).map { JobSpec(kind: "echo", payload: .text("\($0)")) }))
            try require(handle.jobCount == 5 && !handle.isRepeated, "\(handle)")
            let result = try await handle.result()
            try require(result.state == .succeeded && result.id == handle.id, "\(result)")
            try require(result.jobs.map(\.text) == (0..<5).map { "\($0)" }, "\(result)")
            try require(
                result.jobs.map(\.id) == handle.jobIDs && result.jobs.map(\.index) == [0, 1, 2, 3, 4], "\(result)")
            try require(
                result.jobs.allSatisfy { $0.attempts == 1 && $0.kind == "echo" && $0.ended != nil }, "\(result)")
        },
        QueueBehaviour("a thousand requests get their handles in order, and their own results") { queue in
            let requests = (0..<1_000).map { Request(kind: "echo", payload: .text("\($0)")) }
            let handles = try await queue.submit(contentsOf: requests)
            try require(Set(handles.map(\.id)).count == 1_000, "an id was given twice")
            for number in [0, 499, 500, 999] {
                let result = try await handles[number].result()
                try require(result.jobs.map(\.text) == ["\(number)"], "\(result)")
            }
        },
        QueueBehaviour("what is out of its limit is refused, and what stands beside it is not") { queue in
            let long = String(repeating: "k", count: Limits.nameBytes + 1)
            let answers = await queue.submitEach([
                Request([]), Request(kind: "echo", payload: .text("fine")), Request(kind: long, payload: .text("")),
                Request("echo") { $0.priority = 10 }, Request("echo") { $0.attempts = 0 },
            ])
            for (place, answer) in answers.enumerated() {
                switch answer {
                case .success: try require(place == 1, "request \(place) was taken")
                case .failure(.invalid): try require(place != 1, "request \(place) was refused")
                case .failure(let error): throw error
                }
            }
        },
    ]

    static let keys = [
        QueueBehaviour("a request is not taken while one of its unique key is unfinished, and then it is") { queue in
            var request = Request([JobSpec(kind: "nobody"), JobSpec(kind: "nobody")])
            request.unique = .whileUnfinished(unique())
            let first = try await queue.submit(request)
            var other = request
            other.jobs = [JobSpec(kind: "nobody", payload: .text("another content"))]
            let second = try await queue.submit(other)
            try require(!first.isDuplicate && second.isDuplicate && second.id == first.id, "\(first), \(second)")
            try require(second.jobCount == 2 && !second.isRepeated, "\(second)")
            _ = try await first.cancel()
            _ = try await first.result()
            let third = try await queue.submit(request)
            try require(!third.isDuplicate && third.id != first.id, "\(third)")
            _ = try await third.cancel()
        },
        QueueBehaviour("a request is taken once in a time, of each tenant") { queue in
            var request = Request("echo", "once")
            request.unique = .once(in: .seconds(600), unique())
            let first = try await queue.submit(request)
            _ = try await first.result()
            let second = try await queue.submit(request)
            try require(second.isDuplicate && second.id == first.id, "\(second)")
            request.tenant = "somebody else"
            try await require(!queue.submit(request).isDuplicate, "tenants share a key")
            request.unique = .once(in: .milliseconds(10), "k")
            let wrong = request
            guard case .invalid = try await refusal({ _ = try await queue.submit(wrong) }) else {
                throw Unmet(description: "a time that is none was taken")
            }
        },
        QueueBehaviour("the same key with the same jobs is the first request, also once that is done") { queue in
            let request = Request(kind: "echo", payload: .text("once"), key: unique())
            let first = try await queue.submit(request)
            let second = try await queue.submit(request)
            try require(!first.isRepeated && second.isRepeated && second.id == first.id, "\(first), \(second)")
            _ = try await first.result()
            let third = try await queue.submit(request)
            try require(third.isRepeated && third.id == first.id, "\(third)")
            try await require(third.result().jobs.map(\.text) == ["once"], "another result")
        },
        QueueBehaviour("the same key with other jobs conflicts; of another tenant it does not") { queue in
            var request = Request(kind: "echo", payload: .text("one"), key: unique())
            let first = try await queue.submit(request)
            request.jobs[0].payload = .text("two")
            let changed = request
            guard case .keyConflict = try await refusal({ _ = try await queue.submit(changed) }) else {
                throw Unmet(description: "another error than a conflict")
            }
            request.tenant = "somebody else"
            let second = try await queue.submit(request)
            try require(!second.isRepeated && second.id != first.id, "\(second)")
        },
    ]

    /// A real journal remembers the keys of earlier runs.
    private static func unique() -> String { "key-\(UInt64.random(in: 0 ... .max))" }
}
