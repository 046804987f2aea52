import CLinux
import StatexProtocol
import StatexZeroMQ

/// Many workers by hand on one thread: they take jobs, and end them when they are told to.
struct Crowd: ~Copyable {
    private final class Member {
        let incarnation = UInt64.random(in: 1 ... .max)
        var leases: [LeaseRecord] = []
        /// Tokens of outcomes that are not known to be durable.
        var kept: Set<UInt64> = []
    }

    private final class Connection {
        let member: Member
        let socket: Socket
        var saidHello = false
        /// nil: not welcome.
        var stamp: SessionStamp?
        var isOffered = false

        init(_ member: Member, _ socket: consuming Socket) {
            self.member = member
            self.socket = socket
        }
    }

    private let endpoint: String
    private let slots: Int
    private let members: [Member]
    private var connections: [Connection] = []
    private var poller = Poller()
    private let frame = Frame()
    private var nextHeartbeat: Int64 = 0

    init(_ endpoint: String, count: Int, slots: Int) {
        self.endpoint = endpoint
        self.slots = slots
        members = (0..<count).map { _ in Member() }
    }

    var areWelcome: Bool { connections.allSatisfy { $0.stamp != nil } }
    var areFull: Bool { members.allSatisfy { $0.leases.count == slots } }
    /// Outcomes that are not known to be durable.
    var kept: Int { members.reduce(0) { $0 + $1.kept.count } }
    var leases: [LeaseRecord] { members.flatMap(\.leases) }

    /// All of them over new connections, in one instant.
    mutating func connect() throws {
        connections = try members.map { member in
            let socket = try Socket(.dealer, in: RawClient.context.get())
            try socket.setDealerOptions()
            try socket.connect(endpoint)
            return Connection(member, socket)
        }
    }

    /// What they run ends. It is offered to whoever welcomes them.
    mutating func endAll() {
        for member in members { member.kept = Set(member.leases.map(\.token)) }
    }

    /// Goes on until it is so.
    mutating func serve(_ what: String, within seconds: Int64 = 120, until isSo: (borrowing Crowd) -> Bool) throws {
        let deadline = clinux_monotonic_nanoseconds() + seconds * 1_000_000_000
        while !isSo(self) {
            let now = clinux_monotonic_nanoseconds()
            guard now < deadline else { throw HarnessError("\(what): not within \(seconds) s") }
            let isDue = now >= nextHeartbeat
            if isDue { nextHeartbeat = now + 1_000_000_000 }
            for connection in connections {
                try hear(connection)
                try say(connection, heartbeat: isDue)
            }
            poller.removeAll()
            for connection in connections { poller.add(connection.socket, orWritable: !connection.saidHello) }
            _ = try poller.wait(milliseconds: 100)
        }
    }

    private func hear(_ connection: Connection) throws {
        let member = connection.member
        while try connection.socket.receive(into: frame) {
            let header = try Header(reading: frame.bytes)
            switch header.type {
            case .welcome: connection.stamp = header.stamp
            case .leases:
                var cursor = try header.recordCursor(atLeast: LeaseRecord.size)
                for _ in 0..<header.count {
                    member.leases.append(try LeaseRecord(reading: &cursor, header: header, in: frame.bytes))
                }
            case .durable:
                var cursor = try header.recordCursor(atLeast: TokenRecord.size)
                for _ in 0..<header.count {
                    member.kept.remove(try TokenRecord(reading: &cursor, header: header, in: frame.bytes).token)
                }
            case .heartbeat: break
            default: throw HarnessError("a worker heard \(header.type)")
            }
        }
    }

    private func say(_ connection: Connection, heartbeat: Bool) throws {
        let member = connection.member
        var message = ByteBuffer(capacity: 256)
        guard connection.saidHello else {
            var hello = Hello(role: .worker, incarnation: member.incarnation, name: "crowd")
            hello.slots = UInt16(slots)
            hello.kinds = [Hello.Kind("crowd")]
            hello.write(to: &message)
            // Not yet connected: the poller says when.
            connection.saidHello = try connection.socket.send(message.bytes) == .sent
            return
        }
        guard let stamp = connection.stamp else { return }
        if !connection.isOffered {
            if member.kept.isEmpty {
                Credit.write(slots - member.leases.count, stamp: stamp, to: &message)
            } else {
                OutcomeRecord.begin(credit: 0, stamp: stamp, to: &message)
                for lease in member.leases {
                    OutcomeRecord(id: lease.id, token: lease.token, ending: .succeeded).write(to: &message)
                }
                Header.setCount(member.leases.count, in: &message)
            }
            connection.isOffered = try connection.socket.send(message.bytes) == .sent
        } else if heartbeat {
            Heartbeat().write(to: &message, stamp: stamp)
            _ = try connection.socket.send(message.bytes)
        }
    }
}
