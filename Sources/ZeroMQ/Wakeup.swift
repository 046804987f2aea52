import CLinux
import Glibc

/// Wakes a thread that polls: any thread signals, the owner waits on `descriptor` in its `Poller`.
package final class Wakeup: Sendable {
    package let descriptor: Int32

    package init() throws(ZeroMQError) {
        descriptor = clinux_eventfd()
        guard descriptor >= 0 else { throw ZeroMQError(call: "eventfd", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// Makes the next poll return at once. Signals before it add up to one.
    package func signal() {
        var one: UInt64 = 1
        while write(descriptor, &one, 8) < 0 && errno == EINTR {}
    }

    /// Takes the signals back, before the work that they announce is looked for.
    package func clear() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0 && errno == EINTR {}
    }
}
