import StatexProtocol

/// One connection of a client or a worker, and the message that is being written to it.
final class SchedulerPeer {
    let connection: Int
    let role: Role
    var session: UInt32 = 0
    var worker: Int32 = -1
    /// Of a worker.
    var incarnation: WorkerID = 0
    /// Whole messages that its full queue did not take, oldest first.
    var parked: [[UInt8]] = []
    var heardAt: Int64
    private var type: MessageType?
    private var count = 0
    var buffer = ByteBuffer(capacity: 256)

    init(connection: Int, role: Role, heardAt: Int64) {
        self.connection = connection
        self.role = role
        self.heardAt = heardAt
    }

    func needsNew(_ type: MessageType) -> Bool { self.type != type }

    func begin(_ type: MessageType, recordLength: Int, stamp: SessionStamp) {
        buffer.removeAll()
        Header(type, recordLength: recordLength, stamp: stamp).write(to: &buffer)
        self.type = type
        count = 0
    }

    func added() { count += 1 }

    func finish() -> [UInt8]? {
        guard type != nil else { return nil }
        type = nil
        Header.setCount(count, in: &buffer)
        return buffer.array()
    }
}
