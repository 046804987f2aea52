import StatexWorkerCore

/// What happens next in the simulated world. Connections, sockets and processes are numbers: an event
/// about one that is gone meanwhile is recognised by its number and dropped.
enum Event {
    // Network.
    case arrivedAtScheduler(connection: Int, bytes: [UInt8])
    case arrivedAtPeer(connection: Int, bytes: [UInt8])
    /// The scheduler notices that a connection is closed.
    case closureSeen(connection: Int)
    case reconnect(socket: Int)

    // Processes: one turn of a loop, and what a supervisor does.
    case schedulerTurn(process: Int)
    case workerTurn(process: Int)
    case clientTurn(client: Int)
    case handlerEnded(process: Int, lease: LeaseHandle)
    case startScheduler(start: Int)
    case recover(start: Int)

    // Database.
    case tryReached(number: Int)
    case reconnectedToJournal(process: Int, batch: UInt64)
    case commitAnswered(process: Int, batch: UInt64, verdict: SimulatedJournal.Verdict)
    case read(process: Int, request: ReadRequest)
    case readAnswered(process: Int, answer: ReadAnswer)

    // Faults.
    case strike
    case faultsEnd
    /// Whether everything has drained.
    case look
    /// What a fault, or a supervisor, does later.
    case act(StaticString, (World) -> Void)
}

/// Events by time; those of one instant in the order in which they were planned.
struct EventQueue {
    private struct Entry {
        var at: Int64
        var order: UInt64
        var event: Event
    }

    private var heap: [Entry] = []
    private var planned: UInt64 = 0

    mutating func plan(_ event: Event, at time: Int64) {
        planned += 1
        heap.append(Entry(at: time, order: planned, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isSooner(child, parent) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (at: Int64, event: Event)? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return (last.at, last.event) }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, isSooner(child + 1, child) { child += 1 }
            guard isSooner(child, parent) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return (first.at, first.event)
    }

    private func isSooner(_ left: Int, _ right: Int) -> Bool {
        heap[left].at != heap[right].at ? heap[left].at < heap[right].at : heap[left].order < heap[right].order
    }
}
