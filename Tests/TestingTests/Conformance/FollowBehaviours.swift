import StatexClient

extension QueueBehaviour {
    package static let following = [
        QueueBehaviour("who follows a request gets its output whole and in order, its progress, and its end") { queue in
            let handle = try await queue.submit(Request("stream", #"{"pieces": 5, "ms": 1}"#))
            let heard = try await Heard(handle)
            try require(heard.output == (0..<5).map { "piece \($0)\n" }.joined(), "\(heard)")
            try require(heard.fractions == heard.fractions.sorted() && heard.fractions.last == 1, "\(heard)")
            try require(heard.end?.state == .succeeded && heard.end?.jobs.first?.text == #"{"from": 0}"#, "\(heard)")
        },
        QueueBehaviour("a failed attempt's output no longer counts, and the next one goes on from its checkpoint") {
            queue in
            let handle = try await queue.submit(Request("stream", #"{"pieces": 4, "fails_at": 2}"#))
            let heard = try await Heard(handle)
            try require(heard.output == "piece 2\npiece 3\n" && heard.leftOut == 0, "\(heard)")
            try require(heard.attempts.last == 2 && heard.end?.jobs.first?.attempts == 2, "\(heard)")
            try require(heard.end?.jobs.first?.text == #"{"from": 2}"#, "\(heard)")
        },
        QueueBehaviour("what is final already has its end as the only update") { queue in
            let handle = try await queue.submit(Request("echo", "said"))
            let end = try await handle.result()
            for _ in 0..<2 {
                let heard = try await Heard(handle)
                try require(heard.end == end && heard.attempts.isEmpty, "\(heard)")
            }
        },
        QueueBehaviour("to follow an id that nobody has is refused; a task that is cancelled stops following") {
            queue in
            let nobody = JobID(rawValue: 5)
            let unknown = try await refusal { for try await _ in queue.updates(ofRequest: nobody) {} }
            try require(unknown == .unknown(nobody), "\(unknown)")
            let handle = try await queue.submit(Request("nobody"))
            let following = Task {
                await Result { () async throws(ClientError) in for try await _ in handle.updates {} }
            }
            following.cancel()
            guard case .failure(.cancelled) = await following.value else {
                throw Unmet(description: "it followed on")
            }
            _ = try await handle.cancel()
        },
    ]
}

/// What one who follows a request hears of its one job.
private struct Heard {
    /// Of the last run.
    var output = ""
    var leftOut = 0
    var fractions: [Double] = []
    /// That put something out.
    var attempts: [Int] = []
    var end: RequestStatus?

    init(_ handle: RequestHandle) async throws {
        for try await update in handle.updates {
            switch update {
            case .progress(let progress): fractions.append(progress.fraction)
            case .output(let piece):
                if piece.begins {
                    output = ""
                    fractions = []
                    attempts.append(piece.attempt)
                }
                output += piece.text
                leftOut += piece.leftOut
            case .finished(let status): end = status
            }
        }
    }
}
