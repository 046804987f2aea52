import CLinux
import Glibc
import StatexObjects

/// Signals that an operator sends to this process, as something to wait on. One a process.
struct SignalChannel: ~Copyable {
    /// What came since the last look.
    struct News {
        /// How many signals asked for the end.
        var stops = 0
        /// The configuration is to be read again.
        var rereads = false
    }

    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    private let reader: FileDescriptor
    private let hadTerminal = SignalChannel.hasTerminal
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

    /// SIGHUP says that the configuration is to be read again, unless the terminal hung up that we were
    /// started from: then it says what it always did.
    func take() -> News {
        var bytes = [UInt8](repeating: 0, count: 64)
        var news = News()
        let count = recv(reader.raw, &bytes, bytes.count, 0)
        for number in bytes.prefix(max(0, count)) {
            if Int32(number) == SIGHUP, !(hadTerminal && !Self.hasTerminal) {
                news.rereads = true
            } else {
                news.stops += 1
            }
        }
        return news
    }

    private static var hasTerminal: Bool {
        let descriptor = Glibc.open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
