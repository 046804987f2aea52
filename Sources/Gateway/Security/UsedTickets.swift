import NIOCore

/// Tickets that were used, for as long as they could be shown again.
///
/// A subject has a share of its own, and no more than it leaves free: one that uses up what it has is alone with that.
struct UsedTickets {
    enum Use: Equatable {
        /// It opens its stream.
        case first
        case again
        /// Its owner has used as many as may be remembered of one.
        case tooManyOfSubject
        /// All together have.
        case tooMany
    }

    private struct Entry {
        let subject: String
        let signature: String
        let forgottenAt: Double
    }

    let ofSubject: Int
    let inAll: Int
    /// Their signatures: of a verified ticket there is one text.
    private var signatures: [String: Set<String>] = [:]
    /// From the one that is forgotten first on.
    private var order = CircularBuffer<Entry>()

    /// Seconds after which a ticket is too old by any clock: it may come from a gateway whose clock is ahead, and is good
    /// for a while behind its end.
    static let memory = Double(TicketOffice.lifetime.components.seconds) + 2 * TokenVerifier.skew

    init(ofSubject: Int = GatewayLimits.ticketsOfSubject, inAll: Int = GatewayLimits.tickets) {
        self.ofSubject = ofSubject
        self.inAll = inAll
    }

    /// Those that are remembered.
    var count: Int { order.count }

    /// - Parameters:
    ///   - signature: of a ticket that was verified.
    ///   - now: seconds since 1970.
    mutating func use(_ signature: String, of subject: String, at now: Double) -> Use {
        forget(at: now)
        guard signatures[subject]?.contains(signature) != true else { return .again }
        let own = signatures[subject]?.count ?? 0
        guard own < ofSubject else { return .tooManyOfSubject }
        guard own < inAll - order.count else { return .tooMany }
        signatures[subject, default: []].insert(signature)
        order.append(Entry(subject: subject, signature: signature, forgottenAt: now + Self.memory))
        return .first
    }

    private mutating func forget(at now: Double) {
        while let oldest = order.first, oldest.forgottenAt <= now {
            order.removeFirst()
            signatures[oldest.subject]?.remove(oldest.signature)
            if signatures[oldest.subject]?.isEmpty == true { signatures[oldest.subject] = nil }
        }
    }
}
