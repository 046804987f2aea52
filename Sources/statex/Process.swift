import CLinux
import Glibc
import StatexConfiguration
import StatexLog
import StatexThreads
import Synchronization

/// Where this process says what it has to say, once it is known to run for long.
enum Diagnostics {
    private static let log = Mutex<Log?>(nil)

    /// From now on everything goes into a log.
    static func begin(_ component: String, _ configuration: Configuration) {
        log.withLock { $0 = Log(component, json: configuration.logFormat == .json) }
    }

    static var current: Log? { log.withLock { $0 } }
}

/// Says something to the operator, on stderr: a line of the log of a process that runs for long, words to the person
/// before a command.
func complain(_ message: String, _ level: Log.Level = .warning) {
    guard let log = Diagnostics.current else { return speak(message) }
    log.write(level, message)
}

/// Says something to the person before the command, whatever it is.
func speak(_ message: String) {
    var line = "statex: \(message)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Signals, handed to one thread.
enum Signals {
    /// Calls `stop` at each SIGTERM and SIGINT, and `hangUp` at each SIGHUP, which without it keeps its
    /// default effect. A handler and not `sigwait`: that needs them blocked in every thread, also in those
    /// that Swift's runtime has started before `main`.
    static func onStop(_ stop: @escaping @Sendable () -> Void, hangUp: (@Sendable () -> Void)? = nil) {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard clinux_signal_pipe(&ends) == 0 else {
            return complain("signals cannot be handled: \(String(cString: strerror(errno)))")
        }
        let (reader, writer) = (ends[0], ends[1])
        NamedThread("signals") {
            var byte: UInt8 = 0
            while true {
                let count = read(reader, &byte, 1)
                if count == 1 {
                    if Int32(byte) == SIGHUP { hangUp?() } else { stop() }
                } else if count == 0 || errno != EINTR {
                    return
                }
            }
        }.detach()
        let numbers = [SIGTERM, SIGINT] + (hangUp == nil ? [] : [SIGHUP])
        if clinux_signals_to_descriptor(numbers, Int32(numbers.count), writer) != 0 {
            complain("signals cannot be handled")
        }
    }
}

/// Colours and progress are for people.
var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
