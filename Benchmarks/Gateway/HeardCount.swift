import StatexProtocol
import Synchronization

/// What one listener heard, counted by whoever reads its connection.
final class HeardCount: Sendable {
    struct Counts: Sendable {
        /// Events that come once: that something was submitted, and that it ended.
        var events = 0
        /// Those of leases: at least one a job, and another when a lease was lost.
        var leases = 0
        var bytes = 0
        /// Told a second time.
        var repeats = 0
        /// Told gaps: what could not be filled.
        var gaps = 0
        var sampled = 0
        var mostSampled = 0
        var isOpen = false
        var isOver = false
        /// Why nothing more comes.
        var trouble: String?
    }

    /// How many it must hear; .max: not known yet.
    let events: Atomic<Int>
    let leases: Atomic<Int>
    private let state = Mutex(Counts())

    init(events: Int = .max, leases: Int = .max) {
        self.events = Atomic(events)
        self.leases = Atomic(leases)
    }

    func expect(events: Int, leases: Int) {
        self.events.store(events, ordering: .relaxed)
        self.leases.store(leases, ordering: .relaxed)
    }

    var counts: Counts { state.withLock { $0 } }
    func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0) } }
}

/// Takes a stream of events apart as it comes, in pieces of any size. Pure.
package struct StreamScanner {
    package enum Block: Equatable {
        case event(name: String, id: EventSequence?, data: String)
        /// A comment: the stream lives.
        case beat
    }

    private var line: [UInt8] = []
    private var name = ""
    private var id: EventSequence?
    private var data = ""
    private var hasLines = false

    package init() {}

    package mutating func scan(_ bytes: some Sequence<UInt8>, _ tell: (Block) -> Void) {
        for byte in bytes {
            guard byte == 0x0A else {
                line.append(byte)
                continue
            }
            if line.isEmpty { finish(tell) } else { take() }
            line.removeAll(keepingCapacity: true)
        }
    }

    private mutating func take() {
        hasLines = true
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("event: ") { name = String(text.dropFirst(7)) }
        if text.hasPrefix("id: ") { id = EventSequence(text.dropFirst(4)) }
        if text.hasPrefix("data: ") { data = String(text.dropFirst(6)) }
    }

    private mutating func finish(_ tell: (Block) -> Void) {
        guard hasLines else { return }
        tell(name.isEmpty ? .beat : .event(name: name, id: id, data: data))
        (name, id, data, hasLines) = ("", nil, "", false)
    }
}
