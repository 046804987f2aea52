import StatexProtocol
import StatexThreads
import Synchronization

/// What a caller asks of the thread that owns the socket.
enum Command: Sendable {
    case connect(deadline: Int64)
    case submit(message: [UInt8], requests: Int, counter: Ticket?, deadline: Int64)
    case ask(JobID, isRequest: Bool, waits: Bool, deadline: Int64)
    case follow(JobID, UpdateBox)
    case cancel(JobID, isRequest: Bool, deadline: Int64)
    case order(Order, deadline: Int64)
    case status(deadline: Int64)
    case explain(JobID, deadline: Int64)
    case beginCounting
    case awaitFinals(of: Ticket)
    case endCounting(Ticket)
    case abandon(Ticket)
    case close
}

/// The hand-off from callers to the thread: the only place where they meet. (Not a `Mailbox`: each letter
/// has a ticket and who waits for it, and after the end none may be left lying.)
final class CallBox: Sendable {
    struct Letter: Sendable {
        let ticket: Ticket
        let command: Command
        let reply: CheckedContinuation<Answer, Never>?
    }

    private struct State {
        var letters: [Letter] = []
        var lastTicket: Ticket = 0
        /// The thread is gone: nobody reads any more.
        var isClosed = false
    }

    private let state = Mutex(State())
    let wakeup: Wakeup

    init() throws(WakeupError) { wakeup = try Wakeup() }

    /// Asks for something that is answered; cancelling the task takes it back.
    func ask(_ command: Command) async -> Answer {
        let call = Call()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { reply in
                call.begin(
                    post: { self.post(command, reply: reply) },
                    cancelled: { reply.resume(returning: .failed(.cancelled)) })
            }
        } onCancel: {
            call.cancel { self.post(.abandon($0)) }
        }
    }

    /// - Returns: the ticket of what was asked; 0 if the client is closed.
    @discardableResult
    func post(_ command: Command, reply: CheckedContinuation<Answer, Never>? = nil) -> Ticket {
        let (ticket, isFirst) = state.withLock { state -> (Ticket, Bool) in
            guard !state.isClosed else { return (0, false) }
            state.lastTicket += 1
            state.letters.append(Letter(ticket: state.lastTicket, command: command, reply: reply))
            return (state.lastTicket, state.letters.count == 1)
        }
        if ticket == 0 { reply?.resume(returning: .failed(.closed)) }
        // The thread takes all letters at once: one signal is enough for what lies there together.
        if isFirst { wakeup.signal() }
        return ticket
    }

    func take() -> [Letter] {
        wakeup.clear()
        return state.withLock { state in
            defer { state.letters = [] }
            return state.letters
        }
    }

    /// No letter is read any more: those left are handed back, later ones are answered at once.
    func close() -> [Letter] {
        state.withLock { state in
            state.isClosed = true
            defer { state.letters = [] }
            return state.letters
        }
    }
}

/// One call, so that a cancellation neither overtakes what it takes back nor gets lost.
private final class Call: Sendable {
    private enum Phase {
        case new
        case cancelled
        case posted(Ticket)
    }

    private let phase = Mutex(Phase.new)

    func begin(post: () -> Ticket, cancelled: () -> Void) {
        let isCancelled = phase.withLock { phase in
            if case .cancelled = phase { return true }
            phase = .posted(post())
            return false
        }
        if isCancelled { cancelled() }
    }

    func cancel(_ abandon: (Ticket) -> Void) {
        phase.withLock { phase in
            switch phase {
            case .new: phase = .cancelled
            case .posted(let ticket): abandon(ticket)
            case .cancelled: break
            }
        }
    }
}
