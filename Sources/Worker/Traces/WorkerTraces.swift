// Spans of a worker that is a program of its own: what `statex worker` has by its configuration. A product apart, because
// it brings an HTTP client along, which most workers do without.

import Glibc
import StatexLog
import StatexOTLP
import StatexTracing
import StatexWorkerRuntime

/// Sends spans of attempts at jobs that belong to a trace to a collector, as OTLP over HTTP.
///
///     let traces = try WorkerTraces(to: "http://127.0.0.1:4318/v1/traces")
///     var options = WorkerOptions()
///     options.setTraces(traces)
///     let worker = try Worker(endpoint: …, handlers: …, options: options)
///     try await traces.exported { try await worker.run() }
///
/// No job waits for it: what a collector does not take in time is left out.
public final class WorkerTraces: Sendable {
    fileprivate let spans = SpanQueue()
    private let exporter: SpanExporter

    /// - Parameters:
    ///   - url: the collector's, with the path (`/v1/traces`).
    ///   - headers: sent along, such as what authorizes; never shown.
    ///   - authorities: those that sign its certificate, as a PEM file; nil: the system's.
    ///   - service: what the spans are said to be of.
    ///   - instance: tells workers of one name apart; nil: the process id does.
    public init(
        to url: String, headers: [(name: String, value: String)] = [], authorities: String? = nil,
        service: String = "statex-worker", version: String = "", instance: String? = nil
    ) throws(WorkerError) {
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw .argument("the collector's URL must begin with http:// or https://")
        }
        let log = Log("worker")
        do {
            exporter = try SpanExporter(
                spans, to: CollectorSettings(url: url, headers: headers, authorities: authorities),
                of: TracedService(name: service, version: version, instance: instance ?? String(getpid()))
            ) { log.warning($0) }
        } catch {
            throw .argument("authorities \(authorities ?? ""): cannot be read as certificates in PEM")
        }
    }

    /// Does `body`, and has its spans sent away meanwhile and behind it, for three seconds at most.
    public func exported<Failure: Error>(_ body: () async throws(Failure) -> Void) async throws(Failure) {
        try await exporter.exporting(body)
    }
}

extension WorkerOptions {
    /// Records spans for these, which send them away while they are `exported`.
    public mutating func setTraces(_ traces: WorkerTraces) { spans = traces.spans }
}
