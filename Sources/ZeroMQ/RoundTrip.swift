import CZeroMQ

/// Tells that libzmq's one I/O thread is done with what it was at: a word goes through it, over a connection of the
/// process to itself. One word at a time.
struct RoundTrip: ~Copyable {
    private let out: Socket
    private let back: Socket
    /// nil: none is on its way. A number that nobody guesses: others on this machine may find the connection too.
    private var number: UInt64?

    init(in context: ZeroMQContext) throws(ZeroMQError) {
        let back = try Socket(.dealer, in: context)
        let out = try Socket(.dealer, in: context)
        // An abstract name: no file is left behind.
        let endpoint = "ipc://@statex-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        // A number is a few bytes, and so is the handshake, which counts too.
        try back.set64(ZMQ_MAXMSGSIZE, 256)
        try back.bind(endpoint)
        try out.connect(endpoint)
        self.back = back
        self.out = out
    }

    /// Sets out, also anew.
    mutating func begin() throws(ZeroMQError) {
        let number = UInt64.random(in: .min ... .max)
        self.number = number
        _ = try out.send([number].span.bytes)
    }

    func poll(with poller: inout Poller) { poller.add(back) }

    /// Whether it came back since the last time; `frame`: whatever comes is read into it.
    mutating func isDone(_ frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        while try back.receiveWhole(into: frame) {
            guard let number, frame.bytes.byteCount == MemoryLayout<UInt64>.size else { continue }
            guard frame.bytes.unsafeLoadUnaligned(as: UInt64.self) == number else { continue }
            self.number = nil
            return true
        }
        return false
    }
}
