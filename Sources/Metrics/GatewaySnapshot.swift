/// What a gateway knows of itself at one moment, beside its requests.
package struct GatewaySnapshot: Sendable {
    /// Streams of events that are open.
    package var streams: Int
    /// Forms that are being taken in.
    package var uploads: Int
    package var schedulerAnswers: Bool
    package var journalAnswers: Bool

    package init(streams: Int, uploads: Int, schedulerAnswers: Bool, journalAnswers: Bool) {
        self.streams = streams
        self.uploads = uploads
        self.schedulerAnswers = schedulerAnswers
        self.journalAnswers = journalAnswers
    }

    package func write(to text: inout MetricsText) {
        text.gauge("statex_gateway_streams", "Streams of events that are open.", Double(streams))
        text.gauge("statex_gateway_uploads", "Forms that are being taken in.", Double(uploads))
        text.gauge(
            "statex_gateway_link_up", "1: it answered when the gateway looked, at most a second ago.",
            [
                ([("to", "scheduler")], schedulerAnswers ? 1 : 0), ([("to", "journal")], journalAnswers ? 1 : 0),
            ])
    }
}
