// Sends spans to a collector, as OTLP over HTTP: in pieces, one after the other, and never for longer than it may take.
// A collector that is away costs spans, and nothing else.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import StatexProtocol
import StatexTracing

/// Where spans go.
package struct CollectorSettings: Sendable {
    /// With the path.
    package var url: String
    /// Sent with each piece, such as what authorizes it; never shown.
    package var headers: [(name: String, value: String)]
    /// The authorities that sign its certificate, as a PEM file; nil: the system's.
    package var authorities: String?

    package init(url: String, headers: [(name: String, value: String)] = [], authorities: String? = nil) {
        self.url = url
        self.headers = headers
        self.authorities = authorities
    }
}

package final class SpanExporter: Sendable {
    /// What waits is sent at least so often.
    private static let interval = Duration.seconds(1)
    private static let timeout = TimeAmount.seconds(10)
    /// How often a piece is sent, and how long to wait after a failure: doubled each time.
    private static let tries = 5
    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)
    private static let answerBytes = 64 << 10

    private let queue: SpanQueue
    private let collector: CollectorSettings
    private let service: TracedService
    private let farewell: Duration
    private let complain: @Sendable (String) -> Void
    private let client: HTTPClient

    /// - Parameter farewell: how long the last pieces may take, when the process is about to end.
    /// - Throws: when the authorities cannot be read.
    package init(
        _ queue: SpanQueue, to collector: CollectorSettings, of service: TracedService,
        farewell: Duration = .seconds(3), complain: @escaping @Sendable (String) -> Void
    ) throws {
        self.queue = queue
        self.collector = collector
        self.service = service
        self.farewell = farewell
        self.complain = complain
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = collector.authorities {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.timeout, read: Self.timeout))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit { client.shutdown { _ in } }

    /// Sends what comes until its task is cancelled; then what is left, if that is soon done.
    package func run() async {
        await withTaskGroup { group in
            group.addTask {
                for await _ in self.queue.calls { await self.sendWaiting() }
            }
            while !Task.isCancelled {
                queue.call()
                try? await Task.sleep(for: Self.interval)
            }
            group.cancelAll()
        }
        // By a task that nobody cancelled.
        await Task { await sayFarewell() }.value
    }

    /// Does `body`, and sends what comes meanwhile.
    package func exporting<Failure: Error>(_ body: () async throws(Failure) -> Void) async throws(Failure) {
        let export = Task { await run() }
        let result = await Result(catching: body)
        export.cancel()
        await export.value
        try result.get()
    }

    private func sayFarewell() async {
        await withTaskGroup { group in
            group.addTask { await self.sendWaiting() }
            group.addTask { try? await Task.sleep(for: self.farewell) }
            await group.next()
            group.cancelAll()
        }
        var left = 0
        while case let spans = queue.take(), !spans.isEmpty { left += spans.count }
        guard left > 0 else { return }
        queue.count { [left] in $0.undelivered += UInt64(left) }
        complain("traces: \(left) spans were not sent to \(collector.url) before the end")
    }

    private func sendWaiting() async {
        while !Task.isCancelled {
            let spans = queue.take()
            guard !spans.isEmpty else { return }
            await send(spans)
        }
    }

    private func send(_ spans: [Span]) async {
        let body = TracesPayload.json(spans, of: service)
        var pause = Self.firstPause
        for attempt in 1...Self.tries {
            switch await send(body) {
            case .taken(let rejected):
                let rejected = min(rejected, spans.count)
                return queue.count {
                    $0.sent += UInt64(spans.count - rejected)
                    $0.refused += UInt64(rejected)
                }
            case .refused(let reason):
                complain("traces: \(collector.url) refused \(spans.count) spans: \(reason)")
                return queue.count { $0.refused += UInt64(spans.count) }
            case .away where Task.isCancelled: return queue.restore(spans)
            case .away(let reason, _) where attempt == Self.tries:
                complain("traces: \(collector.url) did not take \(spans.count) spans: \(reason)")
                queue.count { $0.undelivered += UInt64(spans.count) }
            case .away(_, let wanted):
                try? await Task.sleep(for: min(max(pause, wanted ?? .zero), Self.longestPause))
                if Task.isCancelled { return queue.restore(spans) }
                pause *= 2
            }
        }
    }

    private enum Answer {
        /// All but so many of them.
        case taken(rejected: Int)
        case refused(String)
        /// It may take them later.
        case away(String, after: Duration?)
    }

    private func send(_ body: [UInt8]) async -> Answer {
        var request = HTTPClientRequest(url: collector.url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "statex/\(service.version)")
        for (name, value) in collector.headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, timeout: Self.timeout)
            let answer = try await response.body.collect(upTo: Self.answerBytes)
            switch response.status.code {
            case 200..<300: return .taken(rejected: Self.rejected(Array(answer.readableBytesView)))
            case 429, 502, 503, 504:
                let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) }
                return .away("it answered \(response.status.code)", after: seconds.map { .seconds(max($0, 0)) })
            default: return .refused("it answered \(response.status.code)")
            }
        } catch {
            return .away("\(error)", after: nil)
        }
    }

    /// How many spans of those that it took the collector threw away: `partialSuccess.rejectedSpans`.
    private static func rejected(_ answer: [UInt8]) -> Int {
        guard let object = try? JSONObject(answer), let partial = object.member("partialSuccess"),
            let counts = try? JSONObject(object.text(of: partial))
        else { return 0 }
        return max(0, counts.string("rejectedSpans").flatMap { Int($0) } ?? counts.integer("rejectedSpans") ?? 0)
    }
}

extension Result where Success == Void {
    fileprivate init(catching body: () async throws(Failure) -> Void) async {
        do throws(Failure) {
            try await body()
            self = .success(())
        } catch {
            self = .failure(error)
        }
    }
}
