import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// One connection of a client or a worker, and the message that is being written to it.
///
/// Records of one type that follow each other go into one message, whatever made them.
final class Peer {
    let routing: RoutingID
    let role: Role
    /// 0: it has not been welcomed (yet).
    var session: UInt32 = 0
    /// The core's index of a worker.
    var worker: Int32 = -1
    var producer = Producer()
    var name = ""
    /// What its key allows; nil at a door without keys.
    var grant: AllowedKey?
    /// When something was last heard from it, and sent to it; monotonic nanoseconds.
    var heard: Int64
    var sent: Int64 = 0
    var descriptor: Int32 = -1
    var isGone = false
    /// Of its HELLO, while its producer is being read.
    var waitingTag: UInt64?

    // The message under construction.
    var buffer = ByteBuffer(capacity: 4_096)
    private(set) var type: MessageType?
    private var incarnation: UInt64 = 0
    private(set) var count = 0
    /// Whole messages that its full queue did not take, oldest first.
    var parked: [[UInt8]] = []
    var parkedBytes = 0

    /// A larger message gains nothing and delays the first record.
    static let recordsInMessage = 1_000
    static let bytesInMessage = 1 << 20

    init(routing: RoutingID, role: Role, heard: Int64) {
        self.routing = routing
        self.role = role
        self.heard = heard
    }

    /// Whether the next record must begin a new message.
    func needsNew(_ type: MessageType, incarnation: UInt64) -> Bool {
        self.type != type || self.incarnation != incarnation || count >= Self.recordsInMessage
            || buffer.count >= Self.bytesInMessage
    }

    func begin(_ type: MessageType, recordLength: Int, stamp: SessionStamp) {
        buffer.removeAll()
        Header(type, recordLength: recordLength, stamp: stamp).write(to: &buffer)
        self.type = type
        incarnation = stamp.incarnation
        count = 0
    }

    func added() { count += 1 }

    /// Closes the message; its bytes stand in `buffer`.
    /// - Returns: false if there is none.
    func finish() -> Bool {
        guard type != nil, count > 0 else { return false }
        Header.setCount(count, in: &buffer)
        type = nil
        count = 0
        return true
    }
}
