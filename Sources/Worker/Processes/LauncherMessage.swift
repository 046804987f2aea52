import StatexHandlerAPI
import StatexProtocol

/// What `statex-launch` says in one line of its control socket (Sources/Launcher/report.c).
enum LauncherMessage: Sendable, Equatable {
    case started(IsolationReport)
    case failed(reason: String, IsolationReport)
    case wiped(error: String?)
    case ended(Ending)

    /// nil: not a line of the launcher.
    init?(line: [UInt8]) {
        guard let object = try? JSONObject(line), let event = object.string("event") else { return nil }
        switch event {
        case "started":
            guard let report = IsolationReport(object) else { return nil }
            self = .started(report)
        case "failed":
            guard let report = IsolationReport(object), let reason = object.string("reason") else { return nil }
            self = .failed(reason: reason, report)
        case "wiped": self = .wiped(error: object.string("error"))
        case "ended":
            guard let ending = Ending(object) else { return nil }
            self = .ended(ending)
        default: return nil
        }
    }
}

/// How a handler's processes came to their end.
enum Ending: Sendable, Equatable {
    case exited(status: Int)
    case signalled(Int)
    /// Because the worker asked for it.
    case stopped
    case exceeded(limit: String, detail: String)
    /// The launcher itself is gone without a word.
    case launcherLost
}

extension Ending {
    fileprivate init?(_ object: JSONObject) {
        switch object.string("cause") {
        case "exit":
            if let signal = object.integer("signal") {
                self = .signalled(signal)
            } else {
                self = .exited(status: object.integer("status") ?? 0)
            }
        case "stopped": self = .stopped
        case let limit?: self = .exceeded(limit: limit, detail: object.string("detail") ?? "")
        case nil: return nil
        }
    }
}

extension IsolationReport {
    fileprivate init?(_ object: JSONObject) {
        guard let level = object.string("isolation").flatMap(IsolationLevel.init(rawValue:)),
            let missing = object.strings("missing")
        else { return nil }
        self.init(level: level, missing: missing)
    }
}
