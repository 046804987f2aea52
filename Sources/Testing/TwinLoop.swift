import StatexProtocol
import StatexSchedulerCore
import StatexThreads
import StatexZeroMQ

/// The thread of a twin: it owns the scheduler's core, the worker and the journal, takes in what clients and
/// handlers say, and lets everything happen that can happen now. A commit is durable at once.
struct TwinLoop: ~Copyable {
    private struct Advance {
        let target: Int64
        let waitsForHandlers: Bool
        let done: CheckedContinuation<Bool, Never>
    }

    private let socket: Socket
    let clock: TwinClock
    private let letters: Mailbox<Letter>
    private let wakeup: Wakeup
    private var poller = Poller()

    var scheduler: SchedulerCore
    var outbox = Outbox()
    var journal = MemoryJournal()
    var worker: TwinWorker
    /// The core's name for it.
    var workerIndex: Int32 = -1
    var links: [RoutingID: ClientLink] = [:]
    var lastSession = workerSession
    var submit = SubmitBatch()

    /// A queue is full: it is tried again soon.
    private var isBlocked = false
    /// Oldest first; one at a time.
    private var advances: [Advance] = []
    private var isStopped = false
    private var isEnded = false

    init(
        _ socket: consuming Socket, worker: consuming TwinWorker, clock: TwinClock, letters: Mailbox<Letter>,
        wakeup: Wakeup
    ) {
        self.socket = socket
        self.worker = worker
        self.clock = clock
        self.letters = letters
        self.wakeup = wakeup
        var settings = CoreSettings()
        // Nothing is ever lost between the two: a lease lasts for ever, a century.
        settings.leaseNanoseconds = 3_155_760_000_000_000_000
        let hour = UInt64(clamping: clock.now.wall / 3_600_000_000)
        let head = ChainHead(
            batch: 0, incarnation: .random(in: 1 ... .max), epoch: 1,
            nextID: JobID(hour: hour, shard: 0, counter: 0)?.rawValue ?? 0, nextToken: 1, nextName: 1)
        // One seed: the jitter of backoffs is the same in each run of a test.
        scheduler = SchedulerCore(settings, head: head, seed: 1)
    }

    mutating func run() {
        while !isEnded {
            takeLetters()
            let now = clock.now
            receive(at: now)
            work(at: now)
            advance()
            flush()
            sleep()
        }
    }

    private mutating func takeLetters() {
        for letter in letters.takeAll() {
            switch letter {
            case .ended(let slot, let attempt): worker.ended(slot: slot, attempt, at: clock.now.monotonic)
            // Taken with the next look at the worker.
            case .reported: break
            case .advance(let nanoseconds, let waitsForHandlers, let done):
                let target = clock.time(after: nanoseconds, from: advances.last?.target ?? clock.now.monotonic)
                advances.append(Advance(target: target, waitsForHandlers: waitsForHandlers, done: done))
            case .stop:
                isStopped = true
                worker.stopAll()
            case .end: isEnded = true
            }
        }
        guard isStopped else { return }
        for order in advances { order.done.resume(returning: false) }
        advances = []
    }

    /// Lets everything happen that can happen at this time.
    private mutating func work(at now: Now) {
        guard !isStopped else { return }
        var goesOn = true
        while goesOn {
            if let due = scheduler.nextDeadline, due <= now.monotonic { scheduler.tick(at: now, into: &outbox) }
            perform(results: nil, at: now)
            worker.tick(at: now.monotonic)
            let wasTold = listenToWorker(at: now)
            scheduler.dispatch(at: now, into: &outbox)
            goesOn = commit(at: now) || wasTold
        }
    }

    private mutating func commit(at now: Now) -> Bool {
        guard let batch = scheduler.takeBatch(at: now) else { return false }
        journal.append(batch)
        guard let batch = scheduler.journalCommitted(at: now, into: &outbox) else { return false }
        perform(results: batch, at: now)
        scheduler.recycle(batch)
        return true
    }

    /// Moves the clock from one thing that falls due to the next, as far as it was ordered.
    private mutating func advance() {
        while let order = advances.first {
            if order.waitsForHandlers && !worker.isIdle { return }
            let due = min(scheduler.nextDeadline ?? .max, worker.nextDeadline)
            let isLast = due > order.target
            clock.move(to: isLast ? order.target : due)
            work(at: clock.now)
            if isLast {
                advances.removeFirst()
                order.done.resume(returning: true)
            }
        }
    }

    // MARK: The socket

    private mutating func receive(at now: Now) {
        let frame = Frame()
        do throws(ZeroMQError) {
            while try socket.receive(into: frame) {
                guard let routing = RoutingID(frame.bytes), frame.hasMore, try socket.receive(into: frame) else {
                    continue
                }
                received(frame.bytes, from: routing, at: now)
            }
        } catch { isEnded = true }
    }

    private mutating func flush() {
        isBlocked = false
        for link in Array(links.values) {
            do throws(ZeroMQError) {
                switch try link.send(over: socket) {
                case .sent: break
                case .full: isBlocked = true
                case .unroutable: left(link)
                }
            } catch { left(link) }
        }
    }

    private mutating func sleep() {
        poller.removeAll()
        poller.add(socket)
        poller.add(descriptor: wakeup.descriptor)
        do throws(ZeroMQError) {
            _ = try poller.wait(milliseconds: patience)
            wakeup.clear()
        } catch { isEnded = true }
    }

    /// Milliseconds until something falls due by itself.
    private var patience: Int {
        if isBlocked { return 1 }
        guard !clock.isManual else { return -1 }
        let left = min(scheduler.nextDeadline ?? .max, worker.nextDeadline) - clock.now.monotonic
        // Rounded up, or it would spin; a minute is as good as for ever.
        return left <= 0 ? 0 : Int(min((left - 1) / 1_000_000 + 1, 60_000))
    }
}
