import StatexProtocol

/// Operators' orders wait here for their turn, one at a time: so each finds in the journal what those before
/// it wrote, a repeat finds its first try, and nothing must be remembered of either.
package struct OrderDesk: Sendable {
    package struct Entry: Sendable {
        package var order: Order
        package var client: UInt32
        /// Who numbers the order.
        package var sender: Producer
    }

    private enum State: Sendable {
        /// Nothing is under way. Becomes `reading`.
        case idle
        /// The journal is asked what it knows. Becomes `writing`, or `idle` when nothing is to be written.
        case reading(Entry)
        /// Its rows gather or are being committed. Becomes `idle`.
        case writing
    }

    /// Operators are people: a program that sends more at once is told to wait.
    private static let limit = 1_000

    private var state = State.idle
    private var waiting: [Entry] = []

    package init() {}

    package var isFull: Bool { waiting.count >= Self.limit }

    package mutating func add(_ entry: Entry) { waiting.append(entry) }

    /// The next order whose turn it is, if none is under way.
    mutating func next() -> Entry? {
        guard case .idle = state, !waiting.isEmpty else { return nil }
        let entry = waiting.removeFirst()
        state = .reading(entry)
        return entry
    }

    /// The order that the journal was asked about.
    var current: Entry? {
        guard case .reading(let entry) = state else { return nil }
        return entry
    }

    mutating func written() { state = .writing }
    mutating func done() { state = .idle }
}

/// What the journal is asked about an order before it is carried out.
package struct OrderLookup: Sendable {
    package var order: Order
    package var sender: Producer
    /// No open job has a lower id.
    package var lowestOpen: UInt64
}

/// What the journal knows that an order needs.
package struct OrderFindings: Sendable {
    /// It was carried out before: the answer of that time.
    package var known: OrderReply?
    /// Why the journal could not say.
    package var refusal: String?
    /// Of `cancel` with tags: jobs that have them all.
    package var tagged: [UInt64] = []
    /// Of `retry` and `drop`: those of its jobs that are dead letters, neither retried nor dropped.
    package var letters: [DeadLetter] = []
    /// There are more than were read at once.
    package var hasMore = false

    package init() {}
}

/// A job that is `failed` or `dead`, as the journal has it.
package struct DeadLetter: Sendable {
    package var id: UInt64
    /// The request that it belongs to.
    package var request: UInt64
    package var opts: UInt64
    package var kind: UInt32
    package var tenant: UInt32
    package var options: JobOptions
    /// Of `retry` only.
    package var payload: [UInt8]

    package init(
        id: UInt64, request: UInt64, opts: UInt64, kind: UInt32, tenant: UInt32, options: JobOptions, payload: [UInt8]
    ) {
        self.id = id
        self.request = request
        self.opts = opts
        self.kind = kind
        self.tenant = tenant
        self.options = options
        self.payload = payload
    }
}
