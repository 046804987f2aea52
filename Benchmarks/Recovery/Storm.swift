import CLinux
import Glibc
import StatexProtocol
import StatexStack
import StatexThreads
import StatexZeroMQ

/// Many workers that connect, do nothing and come back all at once: connections of one process, `statex
/// bench storm` (hidden).
///
/// Each says HELLO with one slot for a kind that has no jobs, and then lives. They speak the protocol
/// themselves, because a real worker spreads its reconnects on purpose.
package final class Storm {
    private let child: ChildProcess
    private let log: String
    private var strikes = 0

    static let kind = "storm"

    /// Starts it, and returns once all are welcome.
    /// - Parameter number: tells it from others.
    init(_ program: String, endpoint: String, connections: Int, directory: String, number: Int = 0) throws {
        log = "\(directory)/storm-\(number).log"
        var command = Command(
            program, ["bench", "storm", "--endpoint", endpoint, "--connections", String(connections)],
            environment: BenchStack.environment)
        command.log = log
        child = try ChildProcess.start(command)
        let deadline = ContinuousClock.now + .seconds(30)
        while welcomed.isEmpty {
            guard ContinuousClock.now < deadline, !ProcessUse.hasEnded(child.pid) else {
                throw StackError("\(connections) connections were not welcome within 30 s: \(ProcessUse.text(log))")
            }
            usleep(10_000)
        }
    }

    deinit {
        child.signal(SIGKILL)
        _ = child.wait(atMost: .seconds(10))
    }

    /// All leave and come back, as other incarnations, in one instant.
    func strike() {
        strikes += 1
        child.signal(SIGHUP)
    }

    /// The most seconds that it took until all were welcome, of each time that they came.
    func slowestWelcome() throws -> Double? {
        guard welcomed.count == strikes + 1 else {
            throw StackError("of \(strikes) storms \(welcomed.count - 1) came to their end: \(ProcessUse.text(log))")
        }
        return welcomed.max()
    }

    /// For each time that all had come and were welcome, how many seconds it took.
    private var welcomed: [Double] { ProcessUse.text(log).split(separator: "\n").compactMap { Double($0) } }

    /// What the process itself does, until it is killed. It prints the seconds until all were welcome.
    /// - Parameter strikes: signalled when all are to come back.
    package static func main(endpoint: String, connections: Int, strikes: Wakeup) throws {
        let context = try ZeroMQContext()
        var peers = Peers(endpoint: endpoint, context: context)
        try peers.connect(connections)
        while true {
            guard let seconds = try peers.turn(strikes) else { continue }
            print(seconds)
            // It is read while we go on.
            fflush(nil)
        }
    }
}

/// The connections of a storm, all on one thread.
private struct Peers: ~Copyable {
    private final class Peer {
        let socket: Socket
        let incarnation = UInt64.random(in: 1 ... .max)
        var saidHello = false
        /// nil: not welcome yet.
        var stamp: SessionStamp?
        init(_ socket: consuming Socket) { self.socket = socket }
    }

    private let endpoint: String
    private let context: ZeroMQContext
    private var peers: [Peer] = []
    private var poller = Poller()
    private var message = ByteBuffer(capacity: 256)
    private let frame = Frame()
    private var began: Int64 = 0
    private var areAllWelcome = false
    private var nextHeartbeat: Int64 = 0

    init(endpoint: String, context: ZeroMQContext) {
        self.endpoint = endpoint
        self.context = context
    }

    /// Opens so many, in the place of those of before.
    mutating func connect(_ count: Int) throws(ZeroMQError) {
        began = clinux_monotonic_nanoseconds()
        nextHeartbeat = began + 1_000_000_000
        areAllWelcome = false
        peers.removeAll()
        for _ in 0..<count {
            let socket = try Socket(.dealer, in: context)
            try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
            try socket.setDealerOptions()
            try socket.connect(endpoint)
            peers.append(Peer(socket))
        }
    }

    /// Waits for something, and acts on it.
    /// - Returns: how many seconds it took until all were welcome, when that is news.
    mutating func turn(_ strikes: borrowing Wakeup) throws -> Double? {
        poller.removeAll()
        let strike = poller.add(descriptor: strikes.descriptor)
        for peer in peers { poller.add(peer.socket, orWritable: !peer.saidHello) }
        _ = try poller.wait(milliseconds: 100)
        if poller.isReadable(strike) {
            strikes.clear()
            try connect(peers.count)
            return nil
        }
        let isDue = clinux_monotonic_nanoseconds() >= nextHeartbeat
        if isDue { nextHeartbeat += 1_000_000_000 }
        for peer in peers { try serve(peer, heartbeat: isDue) }
        guard !areAllWelcome, peers.allSatisfy({ $0.stamp != nil }) else { return nil }
        areAllWelcome = true
        return Double(clinux_monotonic_nanoseconds() - began) / 1e9
    }

    private mutating func serve(_ peer: Peer, heartbeat: Bool) throws {
        if !peer.saidHello { try greet(peer) }
        while try peer.socket.receive(into: frame) {
            let header = try Header(reading: frame.bytes)
            switch header.type {
            case .welcome:
                peer.stamp = header.stamp
                message.removeAll()
                Credit.write(1, stamp: header.stamp, to: &message)
                _ = try peer.socket.send(message.bytes)
            case .fault:
                let fault = try Fault(reading: frame.bytes, header: header)
                throw StackError("a connection of the storm was refused: \(fault.message)")
            default: break
            }
        }
        guard heartbeat, let stamp = peer.stamp else { return }
        message.removeAll()
        Heartbeat().write(to: &message, stamp: stamp)
        _ = try peer.socket.send(message.bytes)
    }

    private mutating func greet(_ peer: Peer) throws(ZeroMQError) {
        var hello = Hello(role: .worker, incarnation: peer.incarnation, name: "storm")
        hello.slots = 1
        hello.kinds = [Hello.Kind(Storm.kind)]
        message.removeAll()
        hello.write(to: &message)
        // Not yet connected: the poller says when.
        peer.saidHello = try peer.socket.send(message.bytes) == .sent
    }
}
