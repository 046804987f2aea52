import StatexClient
import StatexProtocol

/// The listeners of a hub, so that an event finds those whom it concerns without asking all, and is made only for
/// somebody: most of a busy scheduler's concern nobody.
struct Audience {
    private var ofRequests: [JobID: [Listener]] = [:]
    private var filter = IDFilter()
    /// Listeners that left since the filter was made.
    private var left = 0
    private var shared = SharedStreams()
    private(set) var count = 0

    mutating func add(_ listener: Listener) {
        switch listener.interest {
        case .request(let id), .job(_, let id):
            ofRequests[id, default: []].append(listener)
            filter.add(id)
        case .everything(let tenant, let kind, _): shared.add(listener, of: .init(tenant: tenant, kind: kind))
        }
        count += 1
    }

    mutating func remove(_ listener: Listener) {
        let wasThere =
            switch listener.interest {
            case .request(let id), .job(_, let id): remove(listener, ofRequest: id)
            case .everything(let tenant, let kind, _): shared.remove(listener, of: .init(tenant: tenant, kind: kind))
            }
        if wasThere { count -= 1 }
    }

    private mutating func remove(_ listener: Listener, ofRequest id: JobID) -> Bool {
        guard let index = ofRequests[id]?.firstIndex(where: { $0 === listener }) else { return false }
        ofRequests[id]?.remove(at: index)
        if ofRequests[id]?.isEmpty ?? false { ofRequests[id] = nil }
        left += 1
        if left > ofRequests.count {
            filter.replace(with: ofRequests.keys)
            left = 0
        }
        return true
    }

    // MARK: Telling

    /// Tells the events of a part to those whom they concern.
    /// - Parameter second: of a clock that only goes forward.
    mutating func hear(_ part: EventPart, at second: Int64) {
        // Names repeat: whom they concern is looked up once.
        var known: [UInt32: [Int]] = [:]
        var (names, places): (UInt32, [Int]) = (0, [])
        for (number, packed) in part.packed.enumerated() {
            let record = packed.record
            let these = UInt32(record.tenant) << 16 | UInt32(record.kind)
            if these != names || number == 0 {
                names = these
                places =
                    known[these]
                    ?? shared.places(tenant: part.name(record.tenant) ?? "", kind: part.name(record.kind) ?? "")
                known[these] = places
            }
            tell(JobID(rawValue: record.request), places, second) { part.event(packed) }
        }
    }

    mutating func hear(_ event: JobEvent, at second: Int64) {
        tell(event.request, shared.places(tenant: event.tenant, kind: event.kind), second) { event }
    }

    @inline(__always)
    private mutating func tell(_ request: JobID, _ places: [Int], _ second: Int64, _ make: () -> JobEvent) {
        var made = Made()
        if filter.mayHave(request), let listeners = ofRequests[request] {
            for listener in listeners { made.tell(listener, make) }
        }
        for place in places {
            for listener in shared.admit(request, at: place, second: second) { made.tell(listener, make) }
        }
    }

    /// An event and how it is sent: once for all who hear it.
    private struct Made {
        private var event: JobEvent?
        private var block: [UInt8]?

        mutating func tell(_ listener: Listener, _ make: () -> JobEvent) {
            let event = event ?? make()
            self.event = event
            listener.hear(event) {
                let block = block ?? ServerSentEvent.block(.event(event))
                self.block = block
                return block
            }
        }
    }

    /// Those who see workers.
    func forEachWithWorkers(_ body: (Listener) -> Void) {
        shared.forEach { listener in
            if case .everything(_, _, true) = listener.interest { body(listener) }
        }
    }

    func forEach(_ body: (Listener) -> Void) {
        for listener in ofRequests.values.joined() { body(listener) }
        shared.forEach(body)
    }
}
