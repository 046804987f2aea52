import Foundation
import StatexClient
import StatexProtocol
import Synchronization
import Testing

@testable import StatexGateway

/// What was read of requests and jobs, and how long it holds.
struct StatusMemoryTests {
    private static let id = JobID(rawValue: 4096)
    private let now = ContinuousClock.now

    private func read(_ shelf: inout Shelf<String>, _ value: String, rows: Int = 1) {
        shelf.begin(Self.id)
        shelf.end(Self.id, (value, until: now + .seconds(10), rows: rows))
    }

    @Test func `what was read holds until its time is over`() {
        var shelf = Shelf<String>()
        #expect(shelf.find(Self.id, at: now) == nil)
        read(&shelf, "queued")
        #expect(shelf.find(Self.id, at: now) == "queued")
        #expect(shelf.find(Self.id, at: now + .seconds(10)) == nil)
        #expect(shelf.find(JobID(rawValue: 8192), at: now) == nil)
    }

    @Test func `what holds no more is swept away, and what is being read stays`() {
        var shelf = Shelf<String>()
        read(&shelf, "queued")
        shelf.begin(JobID(rawValue: 8192))
        shelf.sweep(at: now + .seconds(9))
        #expect(shelf.find(Self.id, at: now) == "queued")
        shelf.sweep(at: now + .seconds(10))
        #expect(shelf.find(Self.id, at: now) == nil && !shelf.isEmpty)
        shelf.end(JobID(rawValue: 8192), ("read", until: now + .seconds(10), rows: 1))
        #expect(shelf.find(JobID(rawValue: 8192), at: now) == "read")
        shelf.sweep(at: now + .seconds(10))
        #expect(shelf.isEmpty)
    }

    @Test func `what is heard of it ends it, and of another does not`() {
        var shelf = Shelf<String>()
        read(&shelf, "queued")
        shelf.forget(JobID(rawValue: 8192))
        #expect(shelf.find(Self.id, at: now) == "queued")
        shelf.forget(Self.id)
        #expect(shelf.find(Self.id, at: now) == nil && shelf.isEmpty)
        read(&shelf, "leased")
        shelf.clear()
        #expect(shelf.find(Self.id, at: now) == nil && shelf.isEmpty)
    }

    @Test(arguments: [true, false])
    func `what was read while something changed is not kept: it may be of before`(isCleared: Bool) {
        var shelf = Shelf<String>()
        shelf.begin(Self.id)
        if isCleared { shelf.clear() } else { shelf.forget(Self.id) }
        // Begun after the change, but beside one that was not.
        shelf.begin(Self.id)
        shelf.end(Self.id, ("new", until: now + .seconds(10), rows: 1))
        shelf.end(Self.id, ("old", until: now + .seconds(10), rows: 1))
        #expect(shelf.find(Self.id, at: now) == nil && shelf.isEmpty)
        read(&shelf, "newer")
        #expect(shelf.find(Self.id, at: now) == "newer")
    }

    @Test func `whoever reads hears whether something changed meanwhile`() {
        var shelf = Shelf<String>()
        shelf.begin(Self.id)
        let undisturbed = shelf.end(Self.id, nil)
        shelf.begin(Self.id)
        shelf.forget(Self.id)
        let disturbed = shelf.end(Self.id, ("old", until: now + .seconds(10), rows: 1))
        let readByNobody = shelf.end(Self.id, nil)
        #expect(undisturbed && !disturbed && !readByNobody)
    }

    @Test func `what was found with something else is there too, and counts`() {
        var shelf = Shelf<String>()
        shelf.put(Self.id, ("found", until: now + .seconds(10), rows: GatewayLimits.statusRows - 1))
        #expect(shelf.find(Self.id, at: now) == "found")
        shelf.put(Self.id, ("again", until: now + .seconds(10), rows: GatewayLimits.statusRows))
        #expect(shelf.find(Self.id, at: now) == "again")
        shelf.put(JobID(rawValue: 8192), ("too many", until: now + .seconds(10), rows: 1))
        #expect(shelf.find(JobID(rawValue: 8192), at: now) == nil)
        shelf.forget(Self.id)
        #expect(shelf.find(Self.id, at: now) == nil && shelf.isEmpty)
    }

    @Test func `what was read while nobody heard is not kept`() {
        var shelf = Shelf<String>()
        shelf.end(Self.id, ("unheard", until: now + .seconds(10), rows: 1))
        #expect(shelf.find(Self.id, at: now) == nil && shelf.isEmpty)
    }

    @Test func `it begins anew when it is full`() {
        var shelf = Shelf<String>()
        read(&shelf, "large", rows: GatewayLimits.statusRows)
        read(&shelf, "again", rows: GatewayLimits.statusRows - 1)
        #expect(shelf.find(Self.id, at: now) == "again")
        shelf.begin(JobID(rawValue: 8192))
        shelf.end(JobID(rawValue: 8192), ("last", until: now + .seconds(10), rows: 1))
        #expect(shelf.find(Self.id, at: now) == "again")
        shelf.begin(JobID(rawValue: 12288))
        #expect(shelf.find(Self.id, at: now) == nil)
    }

    // MARK: Why jobs wait

    private func explanation(_ reason: WaitingReason, in seconds: Int64 = 3_600) -> Explanation {
        let until = (Int64(Date.now.timeIntervalSince1970) + seconds) * 1_000_000
        return Explanation(Self.id, state: .delayed, reason: reason, until: until)
    }

    /// How often the scheduler was asked in two looks.
    private func asked(_ memory: StatusMemory, _ reason: Explanation, between: () -> Void = {}) async -> Int {
        let asked = Mutex(0)
        func look() async {
            let told = await memory.reasons(of: [Self.id]) { ids in
                asked.withLock { $0 += 1 }
                return Dictionary(uniqueKeysWithValues: ids.map { ($0, reason) })
            }
            #expect(told[Self.id]?.reason == reason.reason)
        }
        await look()
        between()
        await look()
        return asked.withLock { $0 }
    }

    @Test func `that a job waits for its time is asked once, while all is heard`() async {
        let memory = StatusMemory()
        #expect(await asked(memory, explanation(.notDue)) == 2, "nobody hears what happens to it")
        let hearing = memory.begin()
        #expect(await asked(memory, explanation(.notDue)) == 1)
        memory.end(hearing)
        #expect(await asked(memory, explanation(.notDue)) == 2)
    }

    @Test func `what may change unheard is asked each time`() async {
        let memory = StatusMemory()
        _ = memory.begin()
        #expect(await asked(memory, explanation(.slotsBusy)) == 2)
        #expect(await asked(memory, explanation(.notDue, in: -1)) == 2, "its time has come")
    }

    @Test func `once something is heard of the job it is asked again`() async {
        let memory = StatusMemory()
        _ = memory.begin()
        let event = JobEvent(
            .jobLeased, sequence: EventSequence(incarnation: 1, batch: 2, index: 0), id: Self.id, request: Self.id,
            index: 0, kind: "text", tenant: "", worker: nil, number: 1, ending: nil, at: 0)
        let times = await asked(memory, explanation(.notDue)) { memory.hear(.init([.event(event)])) }
        #expect(times == 2)
        #expect(await asked(memory, explanation(.notDue)) == 0, "what the second look was told is remembered")
    }
}
