/// One thing that `statex doctor` looked at.
package struct Finding: Sendable, Equatable, Encodable {
    package enum Status: String, Sendable, Encodable {
        case ok
        /// It works, and there is something to know or to do.
        case warning
        /// Statex will not work, or not as it promises.
        case error
    }

    package var name: String
    package var status: Status
    /// What was found.
    package var detail: String
    /// What to do; nil when there is nothing to do.
    package var remedy: String?

    package static func ok(_ name: String, _ detail: String) -> Finding {
        Finding(name: name, status: .ok, detail: detail, remedy: nil)
    }

    package static func warning(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, status: .warning, detail: detail, remedy: remedy)
    }

    package static func error(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, status: .error, detail: detail, remedy: remedy)
    }
}
