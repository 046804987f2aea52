import Logging
import StatexLog

/// What the gateway's libraries say, as lines of its log.
struct GatewayLog: LogHandler {
    let log: Log
    var logLevel = Logger.Level.notice
    var metadata: Logger.Metadata = [:]

    init(_ log: Log) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let level: Log.Level =
            switch event.level {
            case .trace, .debug, .info, .notice: .info
            case .warning: .warning
            case .error, .critical: .error
            }
        var fields = metadata.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { fields["error"] = "\(error)" }
        log.write(level, event.message.description, fields.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") })
    }
}
