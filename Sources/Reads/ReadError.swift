import StatexPostgres

/// Why a read gave no answer.
package enum ReadError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The journal was not there.
    case unreachable(String)
    /// It was there and gave no answer: in time, or at all.
    case failed(String)
    /// As many reads wait as may.
    case busy

    package var description: String {
        switch self {
        case .unreachable(let reason), .failed(let reason): reason
        case .busy: "too many reads of the journal wait; try again soon"
        }
    }

    /// What a statement that failed says about the connection.
    package init(_ error: PostgresError) {
        self = error.isConnectionLoss ? .unreachable(error.description) : .failed(error.description)
    }
}
