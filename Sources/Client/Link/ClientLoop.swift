// The thread that owns the socket and the core: drain, feed the core, send, answer, sleep.

import CLinux
import StatexKeys
import StatexProtocol
import StatexZeroMQ

struct ClientLoop: ~Copyable {
    private let endpoint: String
    private var keys: PeerKeys?
    private let context: ZeroMQContext
    private let calls: CallBox
    private var core: ClientCore
    private var replies: [Ticket: CheckedContinuation<Answer, Never>] = [:]
    /// Who follows requests; each is told its end as an answer to its ticket.
    private var following: [Ticket: (id: JobID, box: UpdateBox)] = [:]
    private var poller = Poller()
    /// The socket took all that may go.
    private var isAllSent = true

    /// Messages read before others get their turn.
    private static let receiveBurst = 64

    init(endpoint: String, keys: PeerKeys?, core: ClientCore, calls: CallBox, context: ZeroMQContext) {
        self.endpoint = endpoint
        self.keys = keys
        self.core = core
        self.calls = calls
        self.context = context
    }

    static var now: Int64 { clinux_monotonic_nanoseconds() / 1_000_000 }

    /// Runs until the client is closed.
    consuming func run() {
        while !core.isClosed {
            if core.wantsSocket { serve() } else { rest() }
        }
        answer()
        for reply in replies.values { reply.resume(returning: .failed(.closed)) }
        for (id, box) in following.values { box.ended(.failed(.closed), of: id) }
        for letter in calls.close() {
            if case .follow(let id, let box) = letter.command { box.ended(.failed(.closed), of: id) }
            letter.reply?.resume(returning: .failed(.closed))
        }
    }

    /// Without a socket: waits until one is due.
    private mutating func rest() {
        takeLetters()
        core.ticked(at: Self.now)
        answer()
        guard !core.isClosed, !core.wantsSocket else { return }
        poller.removeAll()
        poller.add(descriptor: calls.wakeup.descriptor)
        do { _ = try poller.wait(milliseconds: wait()) } catch { core.socketFailed("\(error)", at: Self.now) }
    }

    /// With one socket, until the core gives it up.
    private mutating func serve() {
        do {
            let socket = try Socket(.dealer, in: context)
            try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
            try socket.setDealerOptions()
            let refusals = keys == nil ? nil : try Monitor(socket, for: .refused, in: context)
            try socket.connect(endpoint, with: &keys)
            let frame = Frame()
            while core.wantsSocket {
                var burst = 0
                while burst < Self.receiveBurst, try socket.receiveWhole(into: frame) {
                    core.received(frame.bytes, at: Self.now)
                    burst += 1
                }
                if core.isUp { keys?.welcomed() }
                // libzmq does not try again by itself then, and says nothing either.
                if try refusals?.next() != nil {
                    core.socketFailed("the scheduler does not let this key in", at: Self.now)
                }
                takeLetters()
                core.ticked(at: Self.now)
                try send(socket)
                answer()
                guard core.wantsSocket else { break }
                poller.removeAll()
                poller.add(socket, orWritable: !isAllSent)
                refusals?.poll(with: &poller)
                poller.add(descriptor: calls.wakeup.descriptor)
                _ = try poller.wait(milliseconds: burst == Self.receiveBurst ? 0 : wait())
            }
        } catch {
            core.socketFailed("\(error)", at: Self.now)
        }
    }

    private mutating func send(_ socket: borrowing Socket) throws(ZeroMQError) {
        var failure: ZeroMQError?
        isAllSent = core.send(at: Self.now) { bytes in
            do throws(ZeroMQError) { return try socket.send(bytes) == .sent } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
    }

    private func wait() -> Int {
        let left = max(core.nextDeadline - Self.now, 0)
        // A minute at most: the poller takes 32 bits, and a clock is better looked at now and then.
        return Int(min(left, 60_000))
    }

    private mutating func takeLetters() {
        var abandoned: Set<Ticket> = []
        for letter in calls.take() {
            if let reply = letter.reply { replies[letter.ticket] = reply }
            switch letter.command {
            case .connect(let deadline): core.connectionAsked(letter.ticket, deadline: deadline)
            case .submit(let message, let requests, let counter, let deadline):
                core.submitted(
                    Submission(
                        ticket: letter.ticket, message: message, requests: requests, counter: counter,
                        deadline: deadline))
            case .ask(let id, let isRequest, let waits, let deadline):
                core.asked(letter.ticket, id, isRequest: isRequest, waits: waits, deadline: deadline)
            case .follow(let id, let box):
                following[letter.ticket] = (id, box)
                core.followed(letter.ticket, id)
            case .cancel(let id, let isRequest, let deadline):
                core.cancelOrdered(letter.ticket, id, isRequest: isRequest, deadline: deadline)
            case .order(let order, let deadline): core.ordered(letter.ticket, order, deadline: deadline)
            case .status(let deadline): core.statusAsked(letter.ticket, deadline: deadline)
            case .explain(let id, let deadline): core.explanationAsked(letter.ticket, id, deadline: deadline)
            case .beginCounting: core.countingBegan(letter.ticket)
            case .awaitFinals(let counter): core.countAsked(letter.ticket, of: counter)
            case .endCounting(let counter): core.countingEnded(counter)
            case .abandon(let ticket): abandoned.insert(ticket)
            case .close: core.closeOrdered()
            }
        }
        if !abandoned.isEmpty { core.abandoned(abandoned) }
    }

    private mutating func answer() {
        for news in core.takeNews() {
            for ticket in news.tickets { following[ticket]?.box.heard(news.record, text: news.text, piece: news.piece) }
        }
        for (ticket, answer) in core.takeCompletions() {
            if let (id, box) = following.removeValue(forKey: ticket) { box.ended(answer, of: id) }
            replies.removeValue(forKey: ticket)?.resume(returning: answer)
        }
    }
}
