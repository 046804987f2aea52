import StatexProtocol

/// The session with the scheduler: when to open a socket, when to give it up, what to believe.
///
/// A scheduler that falls silent gets a new socket and a new HELLO; what the old queue held is
/// forgotten, because everything that counts is offered again.
struct Link {
    enum State: Equatable {
        /// No socket; a new one at this time.
        case closed(until: Int64)
        /// HELLO is on its way; given up at this time.
        case greeting(until: Int64)
        /// The session of `stamp` lives.
        case open
    }

    /// Without a sign of life for so long (or three heartbeats, if that is more) a link is dead.
    static let silence = 3 * second
    static let firstBackoff = 100 * millisecond
    static let longestBackoff = 2 * second
    /// Of one whose key is not allowed: each time costs the scheduler a handshake, half a millisecond of CPU time. A
    /// thousand of them are to take less than a twentieth of a core.
    static let longestRefusal = 15 * second
    /// More restores of a journal than this in one worker's life are not remembered.
    static let incarnationsRemembered = 64

    private(set) var state = State.closed(until: 0)
    private(set) var stamp = SessionStamp()
    private(set) var welcome: Welcome?
    private var heardAt: Int64 = 0
    private var heartbeatAt: Int64 = .max
    private var failures: Int64 = 0
    private var incarnationsLeft: [UInt64] = []
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(state: seed) }

    var isOpen: Bool { state == .open }
    var heartbeat: Int64 { Int64(welcome?.heartbeatMilliseconds ?? 1_000) * millisecond }

    var nextDeadline: Int64 {
        switch state {
        case .closed(let until), .greeting(let until): until
        case .open: min(heartbeatAt, heardAt + max(3 * heartbeat, Self.silence))
        }
    }

    mutating func tick(at now: Int64, into out: inout Outbox) {
        guard now >= nextDeadline else { return }
        switch state {
        case .closed:
            state = .greeting(until: now + Self.silence)
            out.open()
        case .greeting: close("no answer to HELLO", at: now, into: &out)
        case .open:
            if now >= heardAt + max(3 * heartbeat, Self.silence) {
                close("the scheduler is silent", at: now, into: &out)
            } else {
                heartbeatAt = now + heartbeat
                out.heartbeat = true
            }
        }
    }

    mutating func heard(at now: Int64) { heardAt = now }

    /// Whether the peer that says WELCOME may be believed.
    func believes(_ stamp: SessionStamp) -> Bool {
        if stamp.incarnation == self.stamp.incarnation { return stamp.epoch >= self.stamp.epoch }
        return !incarnationsLeft.contains(stamp.incarnation)
    }

    mutating func welcomed(_ welcome: Welcome, at now: Int64) {
        if stamp.incarnation != welcome.stamp.incarnation, self.welcome != nil {
            if incarnationsLeft.count == Self.incarnationsRemembered { incarnationsLeft.removeFirst() }
            incarnationsLeft.append(stamp.incarnation)
        }
        self.welcome = welcome
        stamp = welcome.stamp
        state = .open
        failures = 0
        heardAt = now
        heartbeatAt = now + heartbeat
    }

    /// Whether a message belongs to this session. The header of a DURABLE, STALE or REVOKE about leases
    /// of before a restore names *their* incarnation; the session number vouches for the speaker.
    func accepts(_ header: Header) -> Bool {
        guard state == .open, header.session == stamp.session else { return false }
        if header.incarnation == stamp.incarnation { return header.epoch >= stamp.epoch }
        switch header.type {
        case .durable, .stale, .revoke: return incarnationsLeft.contains(header.incarnation)
        default: return false
        }
    }

    /// The session is unknown over there: a new one on the same socket.
    mutating func greetAgain(at now: Int64, into out: inout Outbox) {
        state = .greeting(until: now + Self.silence)
        out.forgetSession()
        out.hello = true
    }

    /// - Parameter longest: how long it waits at most, after many failures one behind the other.
    mutating func close(
        _ reason: StaticString, after delay: Int64? = nil, longest: Int64 = longestBackoff, at now: Int64,
        into out: inout Outbox
    ) {
        let backoff = min(Self.firstBackoff << min(failures, 10), longest)
        failures += 1
        // Half of the wait is random: a thousand workers must not come back in one instant.
        let jittered = backoff / 2 + Int64(truncatingIfNeeded: random.next() % UInt64(backoff / 2 + 1))
        state = .closed(until: now + max(jittered, delay ?? 0))
        out.close(reason)
    }
}

/// The generator of the core's few random numbers: small, seeded, the same everywhere.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
