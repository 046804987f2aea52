import StatexProtocol
import StatexSchedulerCore

/// Handlers that report progress, put out output and hand over checkpoints while they run, and clients that follow.
struct TalkTopic: Topic {
    var faults: [any SimulatedFault] { [SpeakOutOfTurn()] }

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        request.follows = random.happens(oneIn: 2)
        for index in request.jobs.indices where random.happens(oneIn: 3) {
            request.jobs[index].work.talk = random.happens(oneIn: 2) ? .reports : [.reports, .checkpoints]
            // Checkpoints are five seconds apart.
            if random.happens(oneIn: 4) {
                request.jobs[index].work.milliseconds = UInt32(random.within(3_000...20_000))
            }
        }
    }

    func checkers(of world: World) -> [any Checker] { [ProgressChecker(world), CheckpointChecker(world)] }
}

/// A worker reports on leases that are over, or that another has: it is broken, or hostile. (Ours cannot: a lease that
/// its scheduler ended went with the session, and in a new one it says nothing of a lease until it is asked.)
private struct SpeakOutOfTurn: SimulatedFault {
    let name = "a worker reports on leases that it does not have"

    private static let most = 16

    func strike(_ world: World, as cause: Int) -> Bool {
        watch(world, as: cause, looks: 200)
        return true
    }

    /// Speaks once there is something to speak of.
    private func watch(_ world: World, as cause: Int, looks: Int) {
        guard looks > 0, world.faultsAreOn else { return }
        let speakers = world.workers.filter { !$0.isPaused && $0.stamp.incarnation == world.journal.incarnation }
        if let worker = world.random.one(of: speakers) {
            let records = world.journal.openIDs.flatMap { leases(of: $0, notOf: worker, in: world) }
            if worker.speaks(of: records.suffix(Self.most), as: cause) { return }
        }
        world.act("leases to speak of are looked for", after: 10_000_000) { watch($0, as: cause, looks: looks - 1) }
    }

    private func leases(of id: UInt64, notOf worker: WorkerProcess, in world: World) -> [ProgressRecord] {
        guard let history = world.journal.histories[id] else { return [] }
        let own = history.openLease.flatMap {
            world.journal.incarnation(ofWorker: $0.worker) == worker.incarnation ? $0.token : nil
        }
        return history.leases.filter { $0.token != own }.map {
            var record = ProgressRecord(JobID(rawValue: id), token: $0.token)
            record.fraction = 10_000
            record.pieceLength = UInt32(Talk.forged.count)
            return record
        }
    }
}

extension World {
    /// A scheduler did not believe a report of a worker.
    func reportRefused(of worker: WorkerID) {
        if let cause = workers.first(where: { $0.incarnation == worker })?.speaksBy { hit(cause) }
    }
}

/// What a handler says: whoever hears it can tell whether it is that.
enum Talk {
    /// Output from `offset` on.
    static func piece(_ number: Int, token: UInt64, from offset: Int) -> [UInt8] {
        (offset..<offset + 1 + number * 5 % 40).map { letter(at: $0, token: token) }
    }

    static func letter(at offset: Int, token: UInt64) -> UInt8 {
        UInt8(ascii: "a") + UInt8((token &* 7 &+ UInt64(offset)) % 26)
    }

    /// What no handler ever puts out.
    static let forged: [UInt8] = [UInt8(ascii: "?")]

    static func checkpoint(_ number: Int, token: UInt64) -> [UInt8] {
        withUnsafeBytes(of: (token.littleEndian, UInt64(number).littleEndian)) { Array($0) }
    }

    /// Which attempt's, and which of its checkpoints.
    static func read(_ checkpoint: [UInt8]) -> (token: UInt64, number: UInt64)? {
        guard checkpoint.count == 16 else { return nil }
        let bytes = checkpoint.span.bytes
        return (bytes.integer(UInt64.self, at: 0), bytes.integer(UInt64.self, at: 8))
    }
}

/// Who follows a job hears what its attempts say in order, each byte of output once at most, no older attempt after a
/// newer one, and nothing after the outcome. Of an attempt that an owner knows to be over it tells nothing.
private final class ProgressChecker: Checker {
    private struct Place: Hashable {
        var client: Int
        var job: UInt64
    }
    private struct Heard {
        var token: UInt64
        var end: UInt64 = 0
        var fraction: UInt16 = 0
    }

    private unowned let world: World
    private var heard: [Place: Heard] = [:]
    private var told: Set<Place> = []

    init(_ world: World) { self.world = world }

    func journalRestored() {
        heard = [:]
        told = []
    }

    /// Its commits are in the order in which it decided; what it decided last may be under way.
    func progressLeft(_ record: ProgressRecord, by scheduler: SchedulerProcess) {
        let isRecorded = world.journal.histories[record.id.rawValue]?.hasOutcome(of: record.token) ?? false
        let isDecided = scheduler.underway?.outcomes.contains { $0.token == record.token } ?? false
        if isRecorded || isDecided {
            world.violation("job \(record.id): progress of token \(record.token), whose attempt is over, is told")
        }
    }

    func toldFinal(client: Int, id: UInt64, state: JobState) { told.insert(Place(client: client, job: id)) }

    func progressed(client: Int, _ record: ProgressRecord, _ piece: [UInt8]) {
        let place = Place(client: client, job: record.id.rawValue)
        world.mark("progress heard")
        if told.contains(place) { world.violation("client \(client) hears of job \(record.id) after its outcome") }
        var before = heard[place] ?? Heard(token: record.token)
        if record.token < before.token {
            world.violation("client \(client) hears of an older attempt of job \(record.id) after a newer one")
        }
        if record.token > before.token {
            world.mark("progress of a later attempt")
            before = Heard(token: record.token)
        }
        if record.offset < before.end {
            world.violation("client \(client) hears bytes \(record.offset) of job \(record.id), it heard \(before.end)")
        }
        if record.offset > before.end { world.mark("output left out") }
        for (index, byte) in piece.enumerated()
        where byte != Talk.letter(at: Int(record.offset) + index, token: record.token) {
            return world.violation("job \(record.id) never put out byte \(record.offset) + \(index) as it is heard")
        }
        if let fraction = record.fraction {
            if fraction < before.fraction { world.violation("job \(record.id) went back to \(fraction)") }
            before.fraction = fraction
        }
        before.end = record.offset + UInt64(piece.count)
        heard[place] = before
    }
}

/// A checkpoint is taken under a live lease only, never an older one after a newer one, at most one in five seconds;
/// and the latest goes to the next attempt.
private final class CheckpointChecker: Checker {
    private struct Lease: Hashable {
        var journal: UInt64
        var token: UInt64
    }

    private unowned let world: World
    private var sentAt: [Lease: Int64] = [:]
    private var newest: [UInt64: UInt64] = [:]
    private var isOver: Set<UInt64> = []

    private static let apart: Int64 = 5_000_000_000

    init(_ world: World) { self.world = world }

    func journalRestored() {
        newest = [:]
        isOver = []
    }

    func stopped(_ lease: LeaseRecord, by worker: WorkerProcess) { isOver.insert(lease.token) }

    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {
        guard bytes.count > 3, bytes[3] == MessageType.checkpoint.rawValue else { return }
        let span = bytes.span.bytes
        guard let header = try? Header(reading: span),
            var cursor = try? header.recordCursor(atLeast: CheckpointRecord.size)
        else { return }
        for _ in 0..<header.count {
            guard let record = try? CheckpointRecord(reading: &cursor, header: header, in: span) else { return }
            let lease = Lease(journal: header.incarnation, token: record.token)
            // The last one of an attempt goes with its outcome.
            if let before = sentAt[lease], world.now - before < Self.apart, !isOver.contains(record.token),
                header.incarnation == world.journal.incarnation
            {
                world.violation(
                    "job \(record.id) handed over two checkpoints in \((world.now - before) / 1_000_000) ms")
            }
            sentAt[lease] = world.now
        }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.checkpoints {
            world.mark("checkpoint")
            guard let history = world.journal.histories[row.job],
                history.leases.contains(where: { $0.token == row.token })
            else {
                world.violation("job \(row.job) has a checkpoint of token \(row.token), which is no lease of it")
                continue
            }
            if let end = history.outcomes.first(where: { $0.token == row.token }), end.batch < commit.head.batch {
                world.violation("job \(row.job): a checkpoint of token \(row.token), which was over")
            }
            guard let (token, number) = history.checkpoints.last.flatMap({ Talk.read($0.data) }), token == row.token
            else {
                world.violation("job \(row.job): a checkpoint is not what its handler handed over")
                continue
            }
            if number < newest[row.token] ?? 0 {
                world.violation("job \(row.job): checkpoint \(number) after \(newest[row.token] ?? 0)")
            }
            newest[row.token] = number
        }
    }

    func handed(_ lease: LeaseRecord, _ inputs: [LeaseInput], _ checkpoint: [UInt8]?) {
        let all = world.journal.histories[lease.id.rawValue]?.checkpoints ?? []
        let latest = all.filter { $0.token < lease.token }.max { ($0.token, $0.batch) < ($1.token, $1.batch) }
        if latest != nil { world.mark("checkpoint handed to the next attempt") }
        if latest?.data != checkpoint {
            world.violation(
                "job \(lease.id) begins with \(checkpoint.flatMap(Talk.read).map { "checkpoint \($0)" } ?? "no checkpoint"), the latest is \(latest.flatMap { Talk.read($0.data) }.map { "\($0)" } ?? "none")"
            )
        }
    }
}
