import Glibc
import Synchronization

private let announced = Atomic(false)

/// Tells the `statex up` that started this process that it serves: a scheduler when it takes submits,
/// a worker when the scheduler welcomed it, a gateway when it listens. Does nothing in a process that was started otherwise, and
/// nothing the second time.
///
/// - Parameter words: what `up` wants to know of it, such as where it listens; without spaces.
/// - Returns: false when `up` is gone. The process should then end in order: nobody else would end it.
///   (The kernel tells it of a later death by SIGTERM; this covers the moment before that was set up.)
@discardableResult
package func announceReady(_ words: [String] = []) -> Bool {
    guard let text = getenv("STATEX_READY_FD"), let descriptor = Int32(String(cString: text)), descriptor > 2 else {
        return true
    }
    guard !announced.exchange(true, ordering: .relaxed) else { return true }
    let line = Array(((["ready"] + words).joined(separator: " ") + "\n").utf8)
    // MSG_NOSIGNAL: that nobody reads is an answer, not a reason to die.
    let sent = send(descriptor, line, line.count, Int32(MSG_NOSIGNAL))
    close(descriptor)
    return sent == line.count
}
