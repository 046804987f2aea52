import StatexHandOff
import StatexProtocol
import StatexSchedulerCore

// What clients ask the journal about jobs that memory does not know any more. Clients may ask faster than the journal
// answers, and one record may ask for a whole request: so only some look-ups are with the reading thread at a time, and
// what was asked beyond that waits here as it came, until so much does that the client is told to ask again later.

/// Look-ups of results, as they are asked for and answered.
struct Lookups {
    /// With the reading thread: a few messages' worth keep it busy.
    static let underWay = 16_384
    /// Records that wait for their turn.
    static let waiting = 65_536

    /// A record of AWAIT; or, when its request's first job was found, the other jobs of that.
    struct Asked {
        var client: UInt32
        var record: AwaitRecord
        /// How many jobs the request has, if it is the others that are asked for.
        var count: UInt16 = 0

        var records: [AwaitRecord] {
            guard count > 0 else { return [record] }
            return (1..<UInt64(count)).map {
                AwaitRecord(
                    JobID(rawValue: record.id.rawValue + $0), isRequest: false, waits: record.waits,
                    follows: record.follows)
            }
        }
    }

    private var asked: [Asked] = []
    private var first = 0
    private(set) var underWay = 0

    var isFull: Bool { asked.count - first >= Self.waiting }

    mutating func ask(_ record: Asked) { asked.append(record) }

    /// The next that may be asked; nil: none, or enough are under way.
    mutating func next(_ begun: Int) -> Asked? {
        guard underWay + begun < Self.underWay, first < asked.count else { return nil }
        defer {
            first += 1
            if first == asked.count || first >= Self.waiting {
                asked.removeFirst(first)
                first = 0
            }
        }
        return asked[first]
    }

    mutating func began(_ count: Int) { underWay += count }
    mutating func ended(_ count: Int) { underWay -= count }
}

extension Broker {
    mutating func awaited(_ records: [AwaitRecord], by client: UInt32) throws(WireError) {
        guard !lookups.isFull else {
            throw WireError(.busy, "\(Lookups.waiting) questions wait for the journal")
        }
        for record in records { lookups.ask(.init(client: client, record: record)) }
        askNext()
    }

    /// Asks for what has its turn.
    mutating func askNext() {
        while let next = lookups.next(outbox.resultLookups.count) {
            guard sessions[next.client] != nil else { continue }
            core.awaited(next.records, client: next.client, into: &outbox)
        }
    }

    /// Answers about jobs that memory does not know. A request's other jobs are asked for in turn.
    mutating func resultsRead(_ found: [FoundResult]) {
        lookups.ended(found.count)
        for result in found {
            guard let peer = sessions[result.lookup.client] else { continue }
            let asked = result.lookup.record
            if asked.isRequest, result.record.state != nil, result.record.index == 0, result.record.count > 1 {
                lookups.ask(.init(client: result.lookup.client, record: asked, count: result.record.count))
            }
            append(.results, recordLength: ResultRecord.size, to: peer)
            var record = result.record
            record.kindLength = UInt8(truncatingIfNeeded: result.kind.utf8.count)
            record.write(to: &peer.buffer)
            peer.buffer.append(result.kind)
            peer.buffer.append(result.body)
            peer.added()
        }
        askNext()
    }
}
