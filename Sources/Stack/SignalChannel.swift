import CLinux
import Glibc
import StatexObjects

/// Signals that ask this process to stop, as something to wait on. One a process.
struct SignalChannel: ~Copyable {
    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    private let reader: FileDescriptor
    private let writer: FileDescriptor

    private init(_ reader: consuming FileDescriptor, _ writer: consuming FileDescriptor) {
        self.reader = reader
        self.writer = writer
    }

    static func open() throws(StackError) -> SignalChannel {
        let pair = try socketPair()
        let channel = SignalChannel(FileDescriptor(owning: pair.0), FileDescriptor(owning: pair.1))
        // A handler that finds it full must not wait.
        guard clinux_set_nonblocking(pair.0) == 0, clinux_set_nonblocking(pair.1) == 0 else { throw .system("fcntl") }
        let result = clinux_signals_to_descriptor(signals, Int32(signals.count), channel.writer.raw)
        guard result == 0 else { throw .system("sigaction", -result) }
        return channel
    }

    deinit { clinux_signals_restore(Self.signals, Int32(Self.signals.count)) }

    var descriptor: Int32 { reader.raw }

    /// How many signals arrived since the last call.
    func take() -> Int {
        var bytes = [UInt8](repeating: 0, count: 64)
        return max(0, recv(reader.raw, &bytes, bytes.count, 0))
    }
}
