import Hummingbird
import StatexMetrics
import StatexProbes
import StatexTracing

/// `/metrics`: for a Prometheus, also without a token: then it names routes, and no tenant, kind, subject or address.
/// With one that reads everything it also says how many workers each kind needs.
struct MetricsRoutes: Sendable {
    let counts: RequestCounts
    let readiness: Readiness
    let seats: StreamSeats
    let uploads: Uploads
    let relay: WebhookRelay
    let tls: ServerCertificate?
    let spans: SpanQueue?
    let gate: Gate
    let scheduler: SchedulerLink
    let rule: ScaleRule
    let memory: ScaleMemory

    /// Kinds with a series of their own, as many as a scheduler's metrics have.
    private static let kinds = 64

    var endpoints: [Endpoint] { [Endpoint(open: "/metrics") { request, _ in try await page(request) }] }

    private func page(_ request: Request) async throws(Problem) -> Response {
        let away = Set(await readiness.reasons().map(\.part))
        var snapshot = GatewaySnapshot(
            streams: seats.count, uploads: uploads.count, schedulerAnswers: !away.contains("scheduler"),
            journalAnswers: !away.contains("journal"))
        snapshot.tokensAreRefused = gate.tokens.isRefused
        snapshot.certificateIsRefused = tls?.isRefused ?? false
        if request.headers[.authorization] != nil {
            try await gate.admit(request, to: [.read], takesTicket: false).checkSeesEverything()
            // A scrape waits for no scheduler that is away.
            snapshot.desiredWorkers = snapshot.schedulerAnswers ? await desiredWorkers() : []
        }
        let bytes = Probes.page { text in
            counts.write(to: &text)
            snapshot.write(to: &text)
            relay.snapshot?.write(to: &text)
            spans?.write(to: &text)
        }
        return Response(body: bytes, type: MetricsText.contentType)
    }

    /// None, if the scheduler is just gone: the other figures are there.
    private func desiredWorkers() async -> [(kind: String, count: Int)] {
        guard let status = try? await scheduler.status().status else { return [] }
        return status.queues.prefix(Self.kinds).map { queue in
            var figures = ScaleRule.Figures(status, kind: queue.kind, label: nil)
            return (queue.kind, memory.desired(by: rule, &figures, of: .init(kind: queue.kind, label: nil)))
        }
    }
}
