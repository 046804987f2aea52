/// What the relay of webhooks in a gateway knows of itself at one moment.
package struct WebhookSnapshot: Sendable {
    package var isRelaying = false
    package var submitted: UInt64 = 0
    /// Deliveries that no job was made of, and none will be.
    package var givenUp: UInt64 = 0
    /// Deliveries that are yet to be submitted.
    package var waiting = 0

    package init() {}

    package func write(to text: inout MetricsText) {
        text.gauge(
            "statex_webhook_relays", "Whether this gateway makes deliveries of events: 1, or stands by: 0.",
            isRelaying ? 1 : 0)
        text.counter("statex_webhook_deliveries_total", "Deliveries that were submitted as jobs.", submitted)
        text.counter(
            "statex_webhook_deliveries_given_up_total", "Deliveries that were refused for good and not submitted.",
            givenUp)
        text.gauge("statex_webhook_deliveries_waiting", "Deliveries that are yet to be submitted.", Double(waiting))
    }
}
