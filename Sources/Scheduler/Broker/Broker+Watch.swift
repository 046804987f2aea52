import CLinux
import Glibc
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// A message stands in libzmq until its last frame has come, and nothing there bounds how many come before. Whoever holds a
// key may send one that never ends. So the process' memory is looked at once a heartbeat, where strangers may be at the door;
// past its bound the doors are closed with all that waits in them, and opened again. Sessions resume, as after any
// lost connection.

/// Whether the memory is past its bound, asked no more often than helps.
struct MemoryWatch {
    let limit: Int
    private var nextLook: Int64 = 0
    private var pause = firstPause

    /// If it is not that, opening the doors again would only disturb: so each time is twice as far from the next.
    private static let firstPause: Int64 = 10_000_000_000
    private static let longestPause: Int64 = 600_000_000_000

    init(limit: Int) { self.limit = limit }

    mutating func isPast(at now: Int64) -> Bool {
        guard now >= nextLook, Self.residentBytes > limit else { return false }
        // Long enough ago to be another one.
        if now - nextLook > Self.longestPause { pause = Self.firstPause }
        nextLook = now + pause
        pause = min(2 * pause, Self.longestPause)
        return true
    }

    /// 0: not known.
    private static var residentBytes: Int {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}

extension Broker {
    mutating func watchMemory(at time: Now) {
        guard clients.hasKeys || workers.hasKeys, watch.isPast(at: time.monotonic) else { return }
        settings.say(
            "memory is past \(watch.limit) bytes: the tcp:// endpoints are opened anew, peers come back by themselves")
        counts.doorsReopened += 1
        let waiting = unprovenHellos.map(\.peer) + waitingHellos.values.map(\.peer)
        for peer in Array(sessions.values) + waiting where hasKeys(peer.role) {
            forget(peer, at: time)
            if !peer.isGone { drop(peer) }
        }
        do throws(ZeroMQError) {
            if clients.hasKeys { try clients.reopen() }
            if workers.hasKeys {
                try workers.reopen()
                try monitor.watch(workers.socket)
            }
            try publisher.dismissAll()
        } catch {
            counts.endpointsUnreachable += 1
        }
        core.tellsEvents = publisher.isSubscribed
    }

    /// Some door is not open again yet.
    var hasClosedDoor: Bool { !clients.isBound || !workers.isBound || !publisher.isBound }

    mutating func openDoors() {
        do throws(ZeroMQError) {
            try clients.bindAgain()
            try workers.bindAgain()
            try publisher.bindAgain()
        } catch {
            counts.endpointsUnreachable += 1
        }
        // What was freed goes back to the system, so that the next look sees it.
        if !hasClosedDoor { clinux_return_free_memory() }
    }
}
