import Hummingbird
import StatexMetrics
import StatexProbes
import StatexTracing

/// `/metrics`: for a Prometheus, so without a token: it names routes, and no tenant, kind, subject or address.
struct MetricsRoutes: Sendable {
    let counts: RequestCounts
    let readiness: Readiness
    let seats: StreamSeats
    let uploads: Uploads
    let spans: SpanQueue?

    var endpoints: [Endpoint] { [Endpoint(open: "/metrics") { _, _ in await page() }] }

    private func page() async -> Response {
        let away = Set(await readiness.reasons().map(\.part))
        let snapshot = GatewaySnapshot(
            streams: seats.count, uploads: uploads.count, schedulerAnswers: !away.contains("scheduler"),
            journalAnswers: !away.contains("journal"))
        let bytes = Probes.page { text in
            counts.write(to: &text)
            snapshot.write(to: &text)
            spans?.write(to: &text)
        }
        return Response(body: bytes, type: MetricsText.contentType)
    }
}
