import Glibc
import StatexConfiguration
import StatexOTLP
import StatexProbes
import StatexTracing

/// The spans of a process, and who sends them away.
struct Traces {
    /// nil: none are recorded.
    let spans: SpanQueue?
    let exporter: SpanExporter?

    /// - Parameter process: `worker` or `gateway`.
    /// - Parameter instance: tells it from others; nil: its process id does.
    init(_ configuration: Configuration, of process: String, instance: String? = nil) throws {
        let tracing = configuration.tracing
        guard let endpoint = tracing.endpoint else {
            (spans, exporter) = (nil, nil)
            return
        }
        let queue = SpanQueue()
        let service = TracedService(
            name: "statex-\(process)", version: statexVersion, instance: instance ?? String(getpid()))
        do {
            let collector = CollectorSettings(
                url: endpoint + tracing.path, headers: try tracing.readHeaders(), authorities: tracing.authorities)
            exporter = try SpanExporter(queue, to: collector, of: service) { complain($0) }
        } catch let error as ConfigurationError {
            throw ending(.usage, "\(error)")
        } catch {
            throw ending(.usage, "otlp_ca_file \(tracing.authorities ?? ""): it cannot be read as certificates in PEM")
        }
        spans = queue
    }

    /// Does `body`, and has its spans sent away meanwhile.
    func exported<Failure: Error>(_ body: () async throws(Failure) -> Void) async throws(Failure) {
        guard let exporter else { return try await body() }
        try await exporter.exporting(body)
    }
}
