import StatexMetrics
import Synchronization

/// What the relay says of itself under `/metrics`.
final class WebhookFigures: Sendable {
    private struct State {
        var isRelaying = false
        var submitted: UInt64 = 0
        var waiting = 0
    }

    private let state = Mutex(State())

    func begin() { state.withLock { $0.isRelaying = true } }

    func end() {
        state.withLock {
            $0.isRelaying = false
            $0.waiting = 0
        }
    }

    func submitted(_ count: Int) { state.withLock { $0.submitted += UInt64(count) } }
    func wait(_ count: Int) { state.withLock { $0.waiting = count } }

    func write(to text: inout MetricsText) {
        let state = state.withLock { $0 }
        text.gauge(
            "statex_webhook_relays", "Whether this gateway makes deliveries of events: 1, or stands by: 0.",
            state.isRelaying ? 1 : 0)
        text.counter("statex_webhook_deliveries_total", "Deliveries that were submitted as jobs.", state.submitted)
        text.gauge(
            "statex_webhook_deliveries_waiting", "Deliveries that are yet to be submitted.", Double(state.waiting))
    }
}
