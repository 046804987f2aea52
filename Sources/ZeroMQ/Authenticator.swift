import CZeroMQ
import Glibc
import StatexKeys

/// Says who may finish a CURVE handshake, and what its connection is called: the process' ZAP handler (RFC 27), a thread
/// of its own, so that a flood of strangers holds up strangers alone.
///
/// It must be there before the sockets that ask it; one a context.
package final class Authenticator: Sendable {
    private let stop: Wakeup
    private let thread: NamedThread

    /// - Parameter admits: whether a key gets in at a door; both as text, from outside. Called on the thread.
    package init(
        in context: ZeroMQContext, admits: @escaping @Sendable (_ key: String, _ door: String) -> Bool
    ) throws(ZeroMQError) {
        let desk = try Desk(in: context, admits)
        let stop: Wakeup
        do throws(WakeupError) { stop = try Wakeup() } catch { throw ZeroMQError(call: "eventfd", code: error.code) }
        let moved = Moved(desk)
        self.stop = stop
        thread = NamedThread("keys") {
            guard var desk = moved.take() else { return }
            desk.answer(until: stop)
        }
    }

    deinit {
        stop.signal()
        thread.join()
    }
}

/// Where libzmq asks.
///
/// A peer says in its handshake what it wants to be called, and of that and the name in our answer libzmq takes what it
/// reads last. It reads the peer's right behind asking us: often only after an answer that comes at once (of 2,000
/// handshakes 1,146). So answers wait until its thread was seen to have gone on.
private struct Desk: ~Copyable {
    private let socket: Socket
    private var trip: RoundTrip
    private let admits: @Sendable (String, String) -> Bool
    /// Asked before the round trip that is under way began, and since then.
    private var asked: [Question] = []
    private var fresh: [Question] = []

    init(in context: ZeroMQContext, _ admits: @escaping @Sendable (String, String) -> Bool) throws(ZeroMQError) {
        // Not a REP, which takes no question before it answered the last one: many share a round trip.
        let socket = try Socket(.router, in: context)
        try socket.bind("inproc://zeromq.zap.01")
        trip = try RoundTrip(in: context)
        self.socket = socket
        self.admits = admits
    }

    mutating func answer(until stop: Wakeup) {
        var poller = Poller()
        let frame = Frame()
        while true {
            poller.removeAll()
            poller.add(socket)
            trip.poll(with: &poller)
            let end = poller.add(descriptor: stop.descriptor)
            // One that takes so long is lost.
            guard let isReadable = try? poller.wait(milliseconds: asked.isEmpty ? -1 : 1_000), !poller.isReadable(end)
            else { return }
            while let question = (try? Question(from: socket, frame)) ?? nil { fresh.append(question) }
            if (try? trip.isDone(frame)) ?? false {
                for question in asked { answer(question) }
                asked.removeAll()
            }
            guard !(asked.isEmpty && fresh.isEmpty), asked.isEmpty || !isReadable else { continue }
            if asked.isEmpty { swap(&asked, &fresh) }
            try? trip.begin()
        }
    }

    private func answer(_ question: Question) {
        let key = question.key
        let isAdmitted = key.map { admits($0, question.door) } ?? false
        let answer = [
            question.connection, [], question.version, question.number, Array((isAdmitted ? "200" : "400").utf8), [],
            isAdmitted ? Array((key ?? "").utf8) : [], isAdmitted ? RoutingID().property : [],
        ]
        for (place, part) in answer.enumerated() {
            _ = try? socket.send(part.span.bytes, more: place < answer.count - 1)
        }
    }

    /// What libzmq asks of a connection.
    private struct Question {
        /// Where the answer goes.
        var connection: [UInt8]
        var version: [UInt8]
        var number: [UInt8]
        var door: String
        /// nil: it did not come with CURVE.
        var key: String?

        /// nil: there is none.
        init?(from socket: borrowing Socket, _ frame: borrowing Frame) throws(ZeroMQError) {
            guard try socket.receive(into: frame) else { return nil }
            var parts = [frame.bytes.copied]
            while frame.hasMore, try socket.receive(into: frame) { parts.append(frame.bytes.copied) }
            // The connection, nothing, version, number, domain, address, our own routing id, mechanism, and the key.
            guard parts.count >= 5 else { throw ZeroMQError(call: "ZAP request", code: EPROTO) }
            connection = parts[0]
            version = parts[2]
            number = parts[3]
            door = String(decoding: parts[4], as: UTF8.self)
            guard parts.count == 9, parts[7] == Array("CURVE".utf8), parts[8].count == 32 else { return }
            var text = [CChar](repeating: 0, count: 41)
            guard zmq_z85_encode(&text, parts[8], 32) != nil else { return }
            key = String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension RawSpan {
    fileprivate var copied: [UInt8] { withUnsafeBytes { Array($0) } }
}
