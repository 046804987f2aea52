import CZeroMQ
import Glibc
import StatexKeys

/// Says who may finish a CURVE handshake: the process' ZAP handler (RFC 27), a thread of its own, so that a flood of
/// strangers holds up strangers alone.
///
/// It must be there before the sockets that ask it; one a context.
package final class Authenticator: Sendable {
    private let stop: Wakeup
    private let thread: NamedThread

    /// - Parameter admits: whether a key gets in at a door; both as text, from outside. Called on the thread.
    package init(
        in context: ZeroMQContext, admits: @escaping @Sendable (_ key: String, _ door: String) -> Bool
    ) throws(ZeroMQError) {
        let socket = try Socket(.reply, in: context)
        try socket.bind("inproc://zeromq.zap.01")
        let stop: Wakeup
        do throws(WakeupError) { stop = try Wakeup() } catch { throw ZeroMQError(call: "eventfd", code: error.code) }
        let moved = Moved(socket)
        self.stop = stop
        thread = NamedThread("keys") {
            guard let socket = moved.take() else { return }
            Self.answer(socket, until: stop, admits)
        }
    }

    deinit {
        stop.signal()
        thread.join()
    }

    private static func answer(
        _ socket: consuming Socket, until stop: Wakeup, _ admits: (String, String) -> Bool
    ) {
        var poller = Poller()
        let frame = Frame()
        while true {
            poller.removeAll()
            poller.add(socket)
            let end = poller.add(descriptor: stop.descriptor)
            guard (try? poller.wait(milliseconds: -1)) != nil, !poller.isReadable(end) else { return }
            while let question = (try? Question(from: socket, frame)) ?? nil {
                let key = question.key
                let isAdmitted = key.map { admits($0, question.door) } ?? false
                let answer = [
                    question.version, question.number, Array((isAdmitted ? "200" : "400").utf8), [],
                    isAdmitted ? Array((key ?? "").utf8) : [], [],
                ]
                for (place, part) in answer.enumerated() {
                    _ = try? socket.send(part.span.bytes, more: place < answer.count - 1)
                }
            }
        }
    }

    /// What libzmq asks of a connection.
    private struct Question {
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
            // Version, number, domain, address, routing id, mechanism, and the key.
            guard parts.count >= 3 else { throw ZeroMQError(call: "ZAP request", code: EPROTO) }
            version = parts[0]
            number = parts[1]
            door = String(decoding: parts[2], as: UTF8.self)
            guard parts.count == 7, parts[5] == Array("CURVE".utf8), parts[6].count == 32 else { return }
            var text = [CChar](repeating: 0, count: 41)
            guard zmq_z85_encode(&text, parts[6], 32) != nil else { return }
            key = String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension RawSpan {
    fileprivate var copied: [UInt8] { withUnsafeBytes { Array($0) } }
}
