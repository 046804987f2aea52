/// What a gateway knows of itself at one moment, beside its requests.
package struct GatewaySnapshot: Sendable {
    /// Streams of events that are open.
    package var streams: Int
    /// Forms that are being taken in.
    package var uploads: Int
    package var schedulerAnswers: Bool
    package var journalAnswers: Bool
    /// The file that was put in the place of the one in force cannot be used.
    package var tokensAreRefused = false
    package var certificateIsRefused = false
    /// How many workers each kind needs; nil: whoever asks is not told of kinds.
    package var desiredWorkers: [(kind: String, count: Int)]?

    package init(
        streams: Int, uploads: Int, schedulerAnswers: Bool, journalAnswers: Bool,
        desiredWorkers: [(kind: String, count: Int)]? = nil
    ) {
        self.streams = streams
        self.uploads = uploads
        self.schedulerAnswers = schedulerAnswers
        self.journalAnswers = journalAnswers
        self.desiredWorkers = desiredWorkers
    }

    package func write(to text: inout MetricsText) {
        text.gauge("statex_gateway_streams", "Streams of events that are open.", Double(streams))
        text.gauge("statex_gateway_uploads", "Forms that are being taken in.", Double(uploads))
        text.gauge(
            "statex_gateway_link_up", "1: it answered when the gateway looked, at most a second ago.",
            [
                ([("to", "scheduler")], schedulerAnswers ? 1 : 0), ([("to", "journal")], journalAnswers ? 1 : 0),
            ])
        text.gauge(
            "statex_gateway_file_refused", "1: the file that is there now cannot be used; what was read before is.",
            [
                ([("file", "tokens")], tokensAreRefused ? 1 : 0),
                ([("file", "certificate")], certificateIsRefused ? 1 : 0),
            ])
        guard let desiredWorkers else { return }
        text.gauge(
            "statex_desired_workers", "Workers that a kind needs, as /v1/scale answers.",
            desiredWorkers.map { ([("kind", $0.kind)], Double($0.count)) })
    }
}
