/// Why a message was not understood: the field, the limit, what to do. Never holds content.
public struct WireError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Sent as the code of an ERROR or REFUSED message; the numbers are part of the protocol.
    public enum Code: UInt16, Sendable, CaseIterable {
        /// A length or a count does not fit the message, or a value is out of its range.
        case malformed = 1
        /// The version is not spoken here.
        case version = 2
        /// The message type is unknown, or not one that this role may send.
        case type = 3
        /// A size or a count is over its limit.
        case tooLarge = 4
        /// The session is unknown here: say HELLO.
        case session = 5
        /// A newer connection of the same incarnation took over.
        case superseded = 6
        /// Try again later: overloaded, or the journal is down.
        case busy = 7
        /// The user key was used with another content.
        case keyConflict = 8
        /// An option or a field that must be understood is not.
        case unsupported = 9
        /// The sender belongs to another journal incarnation or an older epoch.
        case stale = 10
        /// The journal refused the content of this one job.
        case refused = 11
        /// Nothing of the name that an order gives is known here.
        case unknown = 12
        /// The key of the connection has not the right to it.
        case forbidden = 13
    }

    public let code: Code
    public let message: String

    /// - Parameter message: cut to 4,000 bytes; what it quotes may come from anywhere.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message.cut(toBytes: 4_000)
    }

    public var description: String { message }
}
