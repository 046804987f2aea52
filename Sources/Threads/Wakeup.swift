import CLinux
import Glibc

/// Wakes a thread that polls: any thread signals, the owner waits on `descriptor` in its `Poller`.
package final class Wakeup: Sendable {
    package let descriptor: Int32

    package init() throws(WakeupError) {
        descriptor = clinux_eventfd()
        guard descriptor >= 0 else { throw WakeupError(code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// Makes the next poll return at once. Signals before it add up to one.
    package func signal() {
        var one: UInt64 = 1
        while write(descriptor, &one, 8) < 0 && errno == EINTR {}
    }

    /// Waits for a signal, at most so long (negative: for ever), and takes it back.
    package func wait(milliseconds: Int = -1) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&item, 1, Int32(milliseconds)) > 0 { clear() }
    }

    /// Takes the signals back, before the work that they announce is looked for.
    package func clear() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0 && errno == EINTR {}
    }
}

/// No event descriptor could be had: the limit of open files is reached.
package struct WakeupError: Error, Sendable, CustomStringConvertible {
    package let code: Int32
    package var description: String { "eventfd: \(String(cString: strerror(code)))" }
}
