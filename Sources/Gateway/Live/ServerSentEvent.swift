import StatexClient
import StatexEvents
import StatexProtocol

/// The blocks of `text/event-stream`, as the HTML standard has them. Data is JSON of one line.
enum ServerSentEvent {
    static let type = "text/event-stream"
    /// Opens a stream: browsers wait a second before they come again.
    static let opening = Array("retry: 1000\n: statex\n\n".utf8)

    /// - Parameter id: what a client says as Last-Event-ID to go on behind it; nil: what it said before stays.
    static func block(_ name: String, id: EventSequence? = nil, _ json: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(json.count + name.utf8.count + 64)
        if let id { bytes += "id: \(id)\n".utf8 }
        bytes += "event: \(name)\ndata: ".utf8
        // Outside of its texts JSON may have line ends, and Postgres writes some.
        bytes += json.lazy.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        bytes += "\n\n".utf8
        return bytes
    }

    static func block(_ news: EventNews, because trouble: String? = nil) -> [UInt8] {
        var id: EventSequence?
        if case .event(let event) = news { id = event.sequence }
        return block(news.name, id: id, news.json(because: trouble))
    }

    /// Says that the connection lives, and how far the stream is.
    static func beat(_ id: EventSequence?) -> [UInt8] {
        Array((id.map { "id: \($0)\n" } ?? "").utf8) + Array(": here\n\n".utf8)
    }

    static func progress(_ progress: JobProgress, of request: JobID) -> [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("event", "job.progress")
            $0.member("id", progress.job.description)
            $0.member("request", request.description)
            $0.member("attempt", progress.attempt)
            $0.member("fraction", progress.fraction)
            $0.member("text", progress.text)
        }
        return block("job.progress", json.bytes)
    }

    static func output(_ output: JobOutput, of request: JobID) -> [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("event", "job.output")
            $0.member("id", output.job.description)
            $0.member("request", request.description)
            $0.member("attempt", output.attempt)
            $0.member("begins", output.begins)
            $0.member("text", output.text)
            $0.member("left_out", output.leftOut)
        }
        return block("job.output", json.bytes)
    }

    /// From now on so many events of a busy stream are left out.
    static func sampled(oneIn share: Int, above limit: Int) -> [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("event", "sampled")
            $0.member("one_in", share)
            $0.member("above_per_second", limit)
        }
        return block("sampled", json.bytes)
    }
}
