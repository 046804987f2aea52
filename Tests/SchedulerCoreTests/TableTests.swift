import StatexProtocol
import Testing

@testable import StatexSchedulerCore

/// The core's tables against naive models, by seeded random operations.
@Suite("Tables against models")
struct TableTests {
    private static let seeds = Array(1...8 as ClosedRange<UInt64>)

    @Test("The job table finds what is open and says when a page is empty", arguments: seeds)
    func jobTable(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = JobTable()
        var model: [UInt64: Int32] = [:]
        var next: UInt64 = 4_000
        var dropped: Set<UInt64> = []
        for _ in 0..<3_000 {
            if model.isEmpty || random.next() % 5 < 3 {
                var record = JobRecord()
                record.id = next
                next += 1 + (random.next() % 50 == 0 ? 5_000 : random.next() % 3)
                model[record.id] = table.insert(record)
            } else {
                let ids = model.keys.sorted()
                let id = ids[Int(random.next() % UInt64(ids.count))]
                guard let slot = model.removeValue(forKey: id) else { continue }
                let isLast = !model.keys.contains { $0 >> JobID.pageBits == id >> JobID.pageBits }
                let emptied = table.remove(slot)
                #expect(emptied == (isLast ? id >> JobID.pageBits : nil))
                if let emptied, emptied < next >> JobID.pageBits {
                    table.drop(page: emptied)
                    dropped.insert(emptied)
                }
            }
        }
        #expect(table.count == model.count)
        #expect(dropped.count > 1)
        for id in 3_990..<next { #expect(table.slot(of: id) == model[id]) }
        for (id, slot) in model { #expect(table[slot].id == id) }
        var seen: [UInt64: Int32] = [:]
        table.visit { seen[$1.id] = $0 }
        #expect(seen == model)
    }

    private enum Move: CaseIterable { case append, prepend, insert, remove }

    @Test("A job list is an array", arguments: seeds)
    func jobList(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = JobTable()
        var list = JobList()
        var model: [Int32] = []
        var free: [Int32] = (1...60).map { (id: Int) in
            var record = JobRecord()
            record.id = UInt64(id)
            return table.insert(record)
        }
        for _ in 0..<3_000 {
            switch Move.allCases[Int(random.next() % 4)] {
            case .append:
                guard let slot = free.popLast() else { continue }
                list.append(slot, in: &table)
                model.append(slot)
            case .prepend:
                guard let slot = free.popLast() else { continue }
                list.prepend(slot, in: &table)
                model.insert(slot, at: 0)
            case .insert:
                guard !model.isEmpty, let slot = free.popLast() else { continue }
                let place = Int(random.next() % UInt64(model.count))
                list.insert(slot, before: model[place], in: &table)
                model.insert(slot, at: place)
            case .remove:
                guard !model.isEmpty else { continue }
                let slot = model.remove(at: Int(random.next() % UInt64(model.count)))
                list.remove(slot, in: &table)
                free.insert(slot, at: 0)
            }
            #expect(list.count == model.count)
            #expect(walk(list, table) == model)
        }
    }

    private func walk(_ list: JobList, _ table: borrowing JobTable) -> [Int32] {
        var slots: [Int32] = []
        var slot = list.head
        while slot >= 0 {
            slots.append(slot)
            #expect(table[slot].next >= 0 ? table[table[slot].next].previous == slot : list.tail == slot)
            slot = table[slot].next
        }
        #expect(slots.isEmpty == (list.tail < 0))
        return slots
    }

    @Test("The ready queue gives the highest priority, and the oldest inside", arguments: seeds)
    func readyQueue(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = JobTable()
        var queue = ReadyQueue(kind: 0)
        var tenants = Tenants()
        _ = tenants.add(TenantRecord(name: "acme", number: 1))
        let now = Now(monotonic: 0, wall: 0)
        func popFirst() -> Int32? {
            let choice = queue.next(
                ageing: Ageing(), at: now, queue: 0, tenants: &tenants, jobs: table)
            if let choice { queue.take(choice, in: &table) }
            return choice?.slot
        }
        // Few old ones at a time, so that the bounded walk always finds the right place.
        var waiting: [Int32] = []
        var taken: [Int32] = []
        var next: UInt64 = 1
        func isBefore(_ left: Int32, _ right: Int32) -> Bool {
            (table[left].priority, table[left].id) < (table[right].priority, table[right].id)
        }
        for _ in 0..<3_000 {
            switch random.next() % 5 {
            case 0, 1:
                var record = JobRecord()
                record.id = next
                record.priority = UInt8(random.next() % 3)
                next += 1
                let slot = table.insert(record)
                queue.append(slot, isLimited: false, pass: 0, in: &table)
                waiting.append(slot)
            case 2:
                let best = waiting.min { isBefore($0, $1) }
                #expect(popFirst() == best)
                if let best {
                    waiting.removeAll { $0 == best }
                    taken.append(best)
                }
                if taken.count > 20 { _ = table.remove(taken.removeFirst()) }
            case 3:
                guard !taken.isEmpty else { continue }
                let slot = taken.remove(at: Int(random.next() % UInt64(taken.count)))
                queue.insertByAge(slot, isLimited: false, pass: 0, in: &table)
                waiting.append(slot)
            default:
                guard !waiting.isEmpty else { continue }
                let slot = waiting.remove(at: Int(random.next() % UInt64(waiting.count)))
                queue.remove(slot, in: &table)
                _ = table.remove(slot)
            }
            #expect(queue.count == waiting.count)
        }
    }

    @Test("Timers come up soonest first, each once", arguments: seeds)
    func timers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var timers = Timers()
        var model: [(due: Int64, id: UInt64)] = []
        var now: Int64 = 0
        for id in 1...2_000 as ClosedRange<UInt64> {
            let due = now + Int64(random.next() % 100)
            timers.add(Timers.Entry(due: due, id: id, slot: 0, purpose: .ready))
            model.append((due, id))
            now += Int64(random.next() % 3)
            #expect(timers.nextDue == model.map(\.due).min())
            while let entry = timers.popDue(at: now) {
                let soonest = model.min { $0 < $1 }
                #expect(entry.due == soonest?.due && entry.id == soonest?.id)
                model.removeAll { $0.id == entry.id }
            }
            #expect(model.allSatisfy { $0.due > now })
            #expect(timers.count == model.count)
        }
    }

    @Test("A producer's window knows every sequence that it was told of, and its ids", arguments: seeds)
    func producers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var producers = Producers()
        let producer = Producer(high: 1, low: 2)
        producers.load(producer, runs: [], committed: 0)
        var model: [UInt64: (id: UInt64, each: UInt64)] = [:]
        var postponed: [UInt64] = []
        var next: UInt64 = 1
        var nextID: UInt64 = 1_000
        func record(_ sequence: UInt64, _ count: UInt64) {
            let each = 1 + random.next() % 3
            producers.record(
                producer, .init(sequence: sequence, count: count, firstID: nextID, jobsEach: each, batch: 1))
            for offset in 0..<count { model[sequence + offset] = (nextID + offset * each, each) }
            nextID += count * each + random.next() % 2
        }
        for _ in 0..<600 {
            switch random.next() % 4 {
            case 0:
                postponed.append(next)
                next += 1
            case 1:
                guard !postponed.isEmpty else { continue }
                record(postponed.remove(at: Int(random.next() % UInt64(postponed.count))), 1)
            default:
                let count = 1 + random.next() % 5
                record(next, count)
                next += count
            }
        }
        for sequence in 1..<next + 5 {
            switch producers.look(producer, sequence) {
            case .known(let firstID, let each, _):
                #expect(firstID == model[sequence]?.id && each == model[sequence]?.each)
            case .new: #expect(model[sequence] == nil)
            case .forgotten: Issue.record("sequence \(sequence) was forgotten inside the window")
            }
        }
    }

    @Test("The last 65,536 sequences are known whatever came before, and older ones are not new")
    func window() {
        var producers = Producers()
        let producer = Producer(high: 1, low: 2)
        producers.load(producer, runs: [], committed: 0)
        let total: UInt64 = 300_000
        var sequence: UInt64 = 1
        while sequence < total {
            // Ids with gaps, so that runs do not merge.
            producers.record(
                producer,
                .init(sequence: sequence, count: 100, firstID: sequence * 2, jobsEach: 1, batch: sequence))
            sequence += 100
        }
        for look in (sequence - UInt64(Limits.producerWindow))..<sequence {
            guard case .known = producers.look(producer, look) else {
                Issue.record("sequence \(look) is not known")
                return
            }
        }
        #expect(producers.look(producer, 1) == .forgotten)
        #expect(producers.look(producer, sequence) == .new)
    }

    @Test("A producer whose latest request is not durable is not forgotten, in whatever order it came")
    func idleProducers() {
        var producers = Producers()
        let late = Producer(high: 1, low: 0)
        producers.load(late, runs: [.init(sequence: 2, count: 1, firstID: 20, jobsEach: 1, batch: 1)], committed: 0)
        producers.record(late, .init(sequence: 1, count: 1, firstID: 10, jobsEach: 1, batch: 9))
        producers.sessionBegan(late)
        producers.sessionEnded(late, committed: 5)
        for low in 1...2_000 as ClosedRange<UInt64> {
            let producer = Producer(high: 2, low: low)
            producers.load(producer, runs: [], committed: 0)
            producers.sessionBegan(producer)
            producers.sessionEnded(producer, committed: 5)
        }
        #expect(producers.isLoaded(late))
        #expect(!producers.isLoaded(Producer(high: 2, low: 1)))
        #expect(producers.isLoaded(Producer(high: 2, low: 2_000)))
    }

    @Test("User keys are remembered while their commit is not durable")
    func userKeys() {
        var keys = UserKeys()
        func key(_ number: Int) -> UserKeys.Key {
            UserKeys.Key(tenant: "t", key: withUnsafeBytes(of: number) { Array($0) })
        }
        for number in 0..<150_000 {
            keys.record(
                key(number), .init(digest: [], request: UInt64(number), jobs: 1, batch: number < 20_000 ? 1 : 3),
                committed: 2)
        }
        #expect(keys.use(of: key(0)) == nil)
        #expect(keys.use(of: key(19_999)) == nil)
        #expect(keys.use(of: key(20_000))?.request == 20_000)
        #expect(keys.use(of: key(149_999))?.request == 149_999)
    }

    @Test("Backoff doubles up to its maximum, and a handler's own delay is kept to")
    func backoff() {
        let policy = RetryPolicy()
        var random = SeededGenerator(seed: 3)
        for failures in [1, 2, 5, 11, 60, 255] {
            let bound = min(policy.maximumNanoseconds, policy.baseNanoseconds << min(failures - 1, 30))
            let delays = (0..<200).map { _ in policy.delay(afterFailures: failures, asked: 0, using: &random) }
            #expect(delays.allSatisfy { (0...bound).contains($0) })
            #expect((delays.max() ?? 0) > bound / 2)
        }
        var long = policy
        long.baseNanoseconds = 86_400_000_000_000
        long.maximumNanoseconds = 604_800_000_000_000
        for failures in [4, 31, 100] {
            let delays = (0..<200).map { _ in long.delay(afterFailures: failures, asked: 0, using: &random) }
            #expect((delays.max() ?? 0) > long.maximumNanoseconds / 2, "after \(failures) failures")
        }
        #expect(policy.delay(afterFailures: 1, asked: 1_500, using: &random) == 1_500_000_000)
        #expect(policy.delay(afterFailures: 1, asked: .max, using: &random) == 2_592_000_000_000_000)
    }
}
