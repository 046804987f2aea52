import StatexClient
import StatexEvents
import StatexProtocol
import Synchronization

/// What a stream is about.
enum Interest: Sendable {
    /// It and its jobs.
    case request(JobID)
    case job(JobID, of: JobID)
    /// Of these names alone, if there are any.
    case everything(tenant: String?, kind: String?, withWorkers: Bool)

    /// So many bytes a client may be behind.
    var patience: Int {
        switch self {
        case .request, .job: GatewayLimits.streamBytes
        case .everything: GatewayLimits.streamBytesOfEverything
        }
    }

    func includes(_ event: JobEvent) -> Bool {
        switch self {
        case .request(let id): event.request == id
        case .job(let id, _): event.id == id && !event.type.isOfRequest
        case .everything(let tenant, let kind, _):
            tenant.map { $0 == event.tenant } ?? true && kind.map { $0 == event.kind } ?? true
        }
    }

    /// Whether nothing more is to be told after it.
    func ends(with event: JobEvent) -> Bool {
        switch (self, event.type) {
        case (.request, .requestCompleted), (.request, .requestFailed), (.request, .requestCancelled): true
        case (.job, .jobSucceeded), (.job, .jobFailed), (.job, .jobDead), (.job, .jobCancelled), (.job, .jobExpired):
            true
        default: false
        }
    }
}

/// One stream, as the hub knows it.
final class Listener: Sendable {
    let interest: Interest
    let box: StreamBox
    /// What its client had when it came.
    private let had: EventSequence?
    private let born = ContinuousClock.now
    private let state = Mutex(State())

    private struct State {
        /// What its jobs put out comes before its last event, which waits for that.
        var awaitsOutput = false
        var last: (block: [UInt8], since: ContinuousClock.Instant)?
    }

    /// - Parameter had: the last event that its client has.
    init(_ interest: Interest, had: EventSequence?, box: StreamBox) {
        self.interest = interest
        self.had = had
        self.box = box
    }

    /// - Parameter block: gives the event as it is sent.
    func hear(_ event: JobEvent, _ block: () -> [UInt8]) {
        guard interest.includes(event), !isHad(event.sequence) else { return }
        let block = block()
        guard interest.ends(with: event) else { return box.put(block) }
        let isHeld = state.withLock { state in
            if state.awaitsOutput { state.last = (block, .now) }
            return state.awaitsOutput
        }
        if !isHeld { end(with: block) }
    }

    private func end(with block: [UInt8]) {
        box.put(block)
        box.end()
    }

    /// A client may have heard more of another gateway than this one has.
    private func isHad(_ sequence: EventSequence) -> Bool {
        guard let had, had.incarnation == sequence.incarnation else { return false }
        return EventPosition(after: sequence) <= EventPosition(after: had)
    }

    /// What its jobs put out is told too, until `heardOutput`.
    func willHearOutput() { state.withLock { $0.awaitsOutput = true } }

    func heardOutput() {
        let last = state.withLock { state in
            state.awaitsOutput = false
            return state.last
        }
        if let last { end(with: last.block) }
    }

    /// - Parameter sequence: how far the hub is.
    func beat(_ sequence: EventSequence?, at now: ContinuousClock.Instant = .now) {
        let age = now - born
        // Who was let in once is asked for a token again some time; who takes nothing does not even hear that.
        if age > GatewayLimits.streamLifetime + GatewayLimits.streamEnd { return box.cutOff() }
        if age > GatewayLimits.streamLifetime { return box.end() }
        if let since = state.withLock({ $0.last?.since }), now - since > GatewayLimits.lastOutput { heardOutput() }
        if box.isEmpty { box.put(ServerSentEvent.beat(sequence)) }
    }
}
