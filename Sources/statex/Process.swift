import CLinux
import Glibc
import StatexThreads

/// Says something to the operator, on stderr.
func complain(_ message: String) {
    var line = "statex: \(message)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// SIGTERM and SIGINT, taken by one thread; every other thread has them blocked.
enum Signals {
    /// Calls `body` at each of them. To be called before any other thread is started.
    static func onStop(_ body: @escaping @Sendable () -> Void) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        _ = NamedThread("signals") {
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, SIGTERM)
            sigaddset(&set, SIGINT)
            var number: Int32 = 0
            while sigwait(&set, &number) == 0 { body() }
        }
    }
}

/// Colours and progress are for people.
var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
