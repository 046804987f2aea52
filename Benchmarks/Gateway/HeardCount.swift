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

    private let wantsData: (_ name: String) -> Bool
    private var line: [UInt8] = []
    private var name = ""
    private var id: EventSequence?
    private var data = ""
    private var hasLines = false

    /// - Parameter wantsData: of which events; that of others is left empty, as most are only counted.
    package init(wantsData: @escaping (_ name: String) -> Bool) { self.wantsData = wantsData }

    package mutating func scan(_ bytes: some Collection<UInt8>, _ tell: (Block) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            line.append(contentsOf: rest[..<end])
            if line.isEmpty { finish(tell) } else { take() }
            line.removeAll(keepingCapacity: true)
            rest = rest[end...].dropFirst()
        }
        line.append(contentsOf: rest)
    }

    private mutating func take() {
        hasLines = true
        if let value = value("event: ") { name = String(decoding: value, as: UTF8.self) }
        if let value = value("id: ") { id = EventSequence(utf8: value) }
        if let value = value("data: "), wantsData(name) { data = String(decoding: value, as: UTF8.self) }
    }

    private func value(_ field: StaticString) -> ArraySlice<UInt8>? {
        let count = field.utf8CodeUnitCount
        let isIt = line.count >= count && field.withUTF8Buffer { line[..<count].elementsEqual($0) }
        return isIt ? line[count...] : nil
    }

    private mutating func finish(_ tell: (Block) -> Void) {
        guard hasLines else { return }
        tell(name.isEmpty ? .beat : .event(name: name, id: id, data: data))
        (name, id, data, hasLines) = ("", nil, "", false)
    }
}
