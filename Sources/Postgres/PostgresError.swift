/// A statement or a connection that failed. Never holds parameters or SQL text.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What was being done, for instance `commit` or `connect`.
    package let doing: String
    /// The five characters of SQLSTATE; nil: no answer came, what was sent may or may not have happened.
    package let state: String?
    package let message: String

    package init(doing: String, state: String?, message: String) {
        self.doing = doing
        self.state = state
        self.message = message
    }

    package var description: String {
        "\(doing): \(message)" + (state.map { " (\($0))" } ?? "")
    }

    /// A statement of a pipeline that was skipped after an earlier one failed.
    package var isSkipped: Bool { state == "25P02" }

    /// The connection is gone, or the server is going.
    package var isConnectionLoss: Bool {
        guard let state else { return true }
        return state.hasPrefix("08") || state.hasPrefix("57P")
    }

    package var isUniqueViolation: Bool { state == "23505" }
    package var isLockTimeout: Bool { state == "55P03" }
    /// The data itself was refused: sending it again will be refused again.
    package var isDataError: Bool { state?.hasPrefix("22") == true || state == "23514" || state == "23502" }
    /// A statement that reads was refused for what is in its parameters or in what it reads: asked again, it will be
    /// refused again. (Cardinality, data, integrity, limits of a program, data that is corrupt.)
    package var isReadRefusal: Bool { ["21", "22", "23", "54", "XX"].contains(state?.prefix(2)) }
    /// No room: disk, memory or connections.
    package var isResourceShortage: Bool { state?.hasPrefix("53") == true }
    /// No partition for a row. (The server has one code for it and for a CHECK that fails.)
    package var isMissingPartition: Bool { state == "23514" && message.hasPrefix("no partition of relation") }
}
