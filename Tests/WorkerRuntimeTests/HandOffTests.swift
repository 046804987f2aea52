import Glibc
import StatexHandlerAPI
import StatexProtocol
import StatexThreads
import Testing

@testable import StatexWorkerCore
@testable import StatexWorkerRuntime

@Suite("The hand-off between the core's thread and the slots", .timeLimit(.minutes(2)))
struct HandOffTests {
    private let wakeup: Wakeup
    private let handOff: HandOff

    init() throws {
        wakeup = try Wakeup()
        handOff = HandOff(slots: 4, wakeup: wakeup)
    }

    @Test("A slot takes along as many tiny jobs as fit into its share")
    func handful() {
        queue(1...7, expectedRun: 30_000)
        #expect(next(slot: 0) == 1)
        #expect(next(slot: 1) == 4)
        #expect(next(slot: 0, ended: 1) == 2)
        #expect(next(slot: 0, ended: 2) == 3)
        #expect(next(slot: 0, ended: 3) == 7)
        #expect(next(slot: 0, ended: 7) == nil)
        #expect(next(slot: 1, ended: 4) == 5)
    }

    @Test(
        "Jobs of a kind that is not tiny or was never measured are taken one by one", arguments: [nil, 60_000, 1 << 40])
    func alone(expectedRun: Int64?) {
        queue(1...3, expectedRun: expectedRun)
        #expect(next(slot: 0) == 1)
        #expect(next(slot: 1) == 2)
        #expect(next(slot: 0, ended: 1) == 3)
    }

    @Test("A job that was taken along and has not begun can be withdrawn, and never starts")
    func withdrawn() {
        queue(1...3, expectedRun: 1_000)
        queue(4...4, expectedRun: 1_000)
        #expect(next(slot: 0) == 1)
        #expect(Set(handOff.withdraw([handle(1), handle(2), handle(4)])) == [handle(2), handle(4)])
        #expect(handOff.cancellation(of: handle(1)) != nil)
        #expect(handOff.cancellation(of: handle(3)) == nil)
        #expect(next(slot: 0, ended: 1) == 3)
        #expect(next(slot: 0, ended: 3) == nil)
    }

    @Test("Jobs that wait behind one that runs on go to another slot")
    func overdue() {
        queue(1...3, expectedRun: 1_000)
        #expect(next(slot: 0, at: 5) == 1)
        #expect(collect(at: 6).lookAgain == 5 + SlotDesk.patience)
        #expect(next(slot: 1, at: 6) == nil)
        #expect(collect(at: 5 + SlotDesk.patience).running == [handle(1)])
        #expect(next(slot: 1, at: 7 + SlotDesk.patience) == 2)
        #expect(next(slot: 0, ended: 1, at: 8 + SlotDesk.patience) == nil)
        #expect(next(slot: 1, ended: 2, at: 9 + SlotDesk.patience) == 3)
        #expect(collect(at: 9 + SlotDesk.patience).lookAgain == nil)
    }

    @Test("The owner is called when jobs were taken along and when all have ended, not for each of them")
    func calls() {
        queue(1...3, expectedRun: 1_000)
        _ = next(slot: 0)
        #expect(wasCalled())
        #expect(collect(at: 0).ended.isEmpty)
        _ = next(slot: 0, ended: 1)
        _ = next(slot: 0, ended: 2)
        #expect(!wasCalled())
        #expect(collect(at: 0).ended == [handle(1), handle(2)])
        _ = next(slot: 0, ended: 3)
        #expect(wasCalled())
        #expect(collect(at: 0).ended == [handle(3)])
    }

    @Test("The owner is called when a job with a run limit begins")
    func runLimit() {
        queue(1...1, expectedRun: nil)
        _ = next(slot: 0)
        #expect(!wasCalled())
        queue(2...2, expectedRun: nil, runLimit: 50)
        _ = next(slot: 1)
        #expect(wasCalled())
        #expect(collect(at: 0).running == [handle(1), handle(2)])
    }

    @Test("Slots are woken for as many handfuls as there are")
    func worth() {
        #expect(handfuls(1...50, expectedRun: 1_000) == 1)
        #expect(handfuls(1...250, expectedRun: 1_000) == 3)
        #expect(handfuls(1...3, expectedRun: nil) == 3)
        #expect(handfuls(1...3, expectedRun: 1 << 40) == 3)
    }

    @Test("Once it is closed, nothing that was taken along begins")
    func closed() {
        queue(1...3, expectedRun: 1_000)
        #expect(next(slot: 0) == 1)
        handOff.close()
        guard case .closed = handOff.exchange(slot: 0, ended: ended(1), at: 0) else {
            Issue.record("a job began")
            return
        }
        #expect(collect(at: 0).ended == [handle(1)])
    }

    @Test("Whatever is withdrawn or given back meanwhile, each job either runs once or is withdrawn once")
    func exactlyOnce() async throws {
        let jobs: UInt32 = 20_000
        let seen = try await withThrowingTaskGroup(of: Void.self) { slots in
            for slot in 0..<4 { slots.addTask { await work(slot) } }
            return try await onThread { own(jobs) }
        }
        #expect(Set(seen).count == jobs)
        #expect(seen.count == jobs)
        #expect(collect(at: 0).ended.isEmpty)
    }

    /// The owner's life until so many jobs have ended or were withdrawn: those.
    private func own(_ jobs: UInt32) -> [LeaseHandle] {
        var seen: [LeaseHandle] = []
        var now: Int64 = 0
        for first in stride(from: 1, through: jobs, by: 100) {
            queue(first...first + 99, expectedRun: first % 300 == 1 ? nil : 2_000)
            seen += handOff.withdraw(Set((first...first + 99).filter { $0 % 7 == 0 }.map(handle)))
            // Every look finds some that wait for too long.
            now += 2 * SlotDesk.patience
            seen += collect(at: now).ended
        }
        while seen.count < jobs {
            wakeup.wait(milliseconds: 1)
            now += 2 * SlotDesk.patience
            seen += collect(at: now).ended
        }
        handOff.close()
        return seen
    }

    // MARK: The slots' part

    private func work(_ slot: Int) async {
        var last: EndedAttempt?
        while true {
            switch handOff.exchange(slot: slot, ended: last.take(), at: 0) {
            case .job(let job):
                last = ended(job.lease.handle.row)
                if job.lease.handle.row % 50 == 0 { await Task.yield() }
            case .batch(let jobs):
                handOff.put(slot: slot, endedBatch: jobs.map { ended($0.lease.handle.row) })
            case .nothing: await handOff.waitForJobs()
            case .closed: return
            }
        }
    }

    /// The row of the job that begins; nil: none.
    private func next(slot: Int, ended row: UInt32? = nil, at now: Int64 = 0) -> UInt32? {
        guard case .job(let job) = handOff.exchange(slot: slot, ended: row.map(ended), at: now) else { return nil }
        return job.lease.handle.row
    }

    private func ended(_ row: UInt32) -> EndedAttempt {
        EndedAttempt(handle(row), startedAt: 0, endedAt: 1, ending: .succeeded)
    }

    // MARK: The owner's part

    private func handle(_ row: UInt32) -> LeaseHandle { LeaseHandle(row: row, generation: 1) }

    private func leases(_ rows: ClosedRange<UInt32>, expectedRun: Int64?, runLimit: UInt32 = 0) -> [QueuedLease] {
        rows.map { row in
            let record = LeaseRecord(
                id: JobID(rawValue: UInt64(row)), token: UInt64(row), runLimitMilliseconds: runLimit, payloadLength: 0,
                attempt: 1, kind: 0, encoding: 0)
            return QueuedLease(record, handle(row), expectedRun: expectedRun)
        }
    }

    private func queue(_ rows: ClosedRange<UInt32>, expectedRun: Int64?, runLimit: UInt32 = 0) {
        handOff.queue(leases(rows, expectedRun: expectedRun, runLimit: runLimit), message: [])
    }

    private func handfuls(_ rows: ClosedRange<UInt32>, expectedRun: Int64?) -> Int {
        Handful(leases: leases(rows, expectedRun: expectedRun)[...], message: []).handfuls
    }

    private func collect(at now: Int64) -> (ended: [LeaseHandle], running: [LeaseHandle], lookAgain: Int64?) {
        var ended: [EndedAttempt] = []
        var running: [LeaseHandle] = []
        let lookAgain = handOff.collect(ended: &ended, at: now) { handle, _ in running.append(handle) }
        return (ended.map(\.handle), running, lookAgain)
    }

    /// Whether the owner's thread would wake now.
    private func wasCalled() -> Bool {
        var item = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, 0) > 0 else { return false }
        wakeup.clear()
        return true
    }
}
