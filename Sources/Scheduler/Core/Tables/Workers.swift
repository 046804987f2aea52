import StatexProtocol

/// One worker incarnation: what it offers, what it holds, when it was last heard.
package struct WorkerRecord: Sendable {
    package var name = ""
    package var incarnation: UInt64 = 0
    /// The number of its name in the journal.
    package var number: UInt32 = 0
    /// The session that speaks for it; 0: none now.
    package var session: UInt32 = 0
    package var slots = 0
    /// How many jobs it is ready to hold, those it holds included.
    package var credit = 0
    /// Its live leases.
    package var leases = JobList()
    /// The expected run times of its leases together, in microseconds.
    package var expected: Int64 = 0
    /// Jobs that were asked back from it for others, and jobs that others were asked for it.
    package var askedBack = 0
    /// Each of its slots has a job that runs much longer than was expected.
    package var isOverrun = false
    package var awaitedSteals = 0
    /// Leases of jobs that another loss may make dead, see `Losses`: one at most, but after a restart.
    var accused = 0
    /// Until then that one has nothing beside it; on the monotonic clock.
    var aloneUntil: Int64 = 0
    /// One of them ended there and left it alive: others have a turn before another has the worker for itself.
    var owesTurn = false
    /// The round of dispatch in which nothing more may wait in it.
    var keptInRound: UInt64 = 0
    /// What it says of itself: a job may require some of them.
    package var labels: [String] = []
    /// What it has amounts of, and what its leases take of that.
    package var offered: [ResourceAmount] = []
    package var resources = Resources()
    package var warm = WarmKeys()
    /// Kinds that it serves: the core's index, the worker's own, and whether it runs several of them together.
    package var kinds: [(kind: Int32, own: UInt16, batch: BatchRule?)] = []
    /// At most one a key.
    var forming: [FormingBatch] = []
    /// Leases that run with another one in its slot.
    package var batchmates = 0
    /// When its leases end if it is not heard before, on the monotonic clock.
    package var deadline: Int64 = 0
    /// It came back and has not yet said all that it holds.
    package var isResuming = false
    /// Kinds that fail in it.
    package var quarantine = Quarantine()
    package var isDraining = false
    /// It was told so in this session.
    var isToldToDrain = false
    /// Outcomes of it were put off; it is to offer them again.
    package var owesOutcomes = false
    package var details = ""
    package var unavailable: [Hello.Kind] = []
    package var joined: Int64 = 0
    package var succeeded: UInt64 = 0
    package var failed: UInt64 = 0

    package var isConnected: Bool { session != 0 }
    /// What it holds, as credit and slots count it: a batch is one.
    package var held: Int { leases.count - batchmates }
    package var freeCredit: Int { isConnected && !isResuming && !isDraining ? credit - held : 0 }
    package var freeSlots: Int { min(freeCredit, slots - held) }

    package init() {}

    package func has(_ required: [String]) -> Bool { required.allSatisfy { labels.contains($0) } }

    package func ownIndex(of kind: Int32) -> UInt16? { kinds.first { $0.kind == kind }?.own }
}

/// All worker incarnations that are connected or still hold leases, in slots that are reused.
package struct Workers: Sendable {
    package private(set) var records: [WorkerRecord] = []
    private var free: [Int32] = []
    private var byIncarnation: [UInt64: Int32] = [:]

    package init() {}

    package var indices: Range<Int32> { 0..<Int32(records.count) }

    package subscript(index: Int32) -> WorkerRecord {
        @inline(__always) _read { yield records[Int(index)] }
        @inline(__always) _modify { yield &records[Int(index)] }
    }

    package func index(of incarnation: UInt64) -> Int32? { byIncarnation[incarnation] }

    package mutating func insert(_ record: WorkerRecord) -> Int32 {
        let index: Int32
        if let reused = free.popLast() {
            index = reused
            records[Int(index)] = record
        } else {
            index = Int32(records.count)
            records.append(record)
        }
        byIncarnation[record.incarnation] = index
        return index
    }

    package mutating func remove(_ index: Int32) {
        precondition(records[Int(index)].leases.isEmpty, "a worker goes with leases")
        byIncarnation[records[Int(index)].incarnation] = nil
        records[Int(index)] = WorkerRecord()
        free.append(index)
    }

    /// A slot that is in use.
    package func isPresent(_ index: Int32) -> Bool { records[Int(index)].incarnation != 0 }

    /// The worker that this session speaks for.
    package func index(ofSession session: UInt32, at hint: Int32) -> Int32? {
        guard hint >= 0, Int(hint) < records.count, records[Int(hint)].session == session else { return nil }
        return hint
    }
}
