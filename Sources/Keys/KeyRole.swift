import StatexProtocol

/// What the holder of a key is.
package enum KeyRole: String, Sendable, CaseIterable {
    /// Submits for its tenants, awaits and cancels what is theirs.
    case client
    /// Runs jobs of any tenant.
    case worker
    /// Submits, looks and orders for every tenant: it knows by tokens who asks.
    case gateway
    /// Looks and orders; what it would submit takes a client's key.
    case `operator`
}

/// Where a scheduler listens.
package enum Door: String, Sendable, CaseIterable {
    case submit
    case worker
    case events

    /// An `ipc://` endpoint lies in a directory that only its owner enters: that is its lock, and it has no keys.
    package static func takesKeys(_ endpoint: String) -> Bool { endpoint.hasPrefix("tcp://") }
}

extension KeyRole {
    /// Whether a handshake at this door is finished at all.
    package func mayEnter(_ door: Door) -> Bool {
        switch (self, door) {
        case (.client, .submit), (.gateway, .submit), (.operator, .submit): true
        case (.worker, .worker): true
        case (.gateway, .events), (.operator, .events): true
        case (.client, .worker), (.client, .events), (.worker, .submit), (.worker, .events): false
        case (.gateway, .worker), (.operator, .worker): false
        }
    }

    /// The whole matrix: whether a message of this type is this role's to send through this door.
    ///
    /// (A subscription is no message of the protocol: who enters `events` may subscribe and say nothing.)
    package func maySend(_ type: MessageType, through door: Door) -> Bool {
        guard mayEnter(door) else { return false }
        return switch (type, door) {
        case (.hello, .submit), (.heartbeat, .submit), (.goodbye, .submit): true
        case (.hello, .worker), (.heartbeat, .worker), (.goodbye, .worker): true
        case (.await, .submit), (.cancel, .submit), (.status, .submit), (.explain, .submit): true
        case (.submit, .submit): self == .client || self == .gateway
        case (.order, .submit): self == .gateway || self == .operator
        case (.credit, .worker), (.outcomes, .worker), (.claim, .worker), (.kept, .worker), (.report, .worker),
            (.checkpoint, .worker):
            true
        // A worker's at the other door and a client's at this one; nothing is said through the third.
        case (.credit, _), (.outcomes, _), (.claim, _), (.kept, _), (.report, _), (.checkpoint, _): false
        case (.await, _), (.cancel, _), (.status, _), (.explain, _), (.submit, _), (.order, _): false
        case (.hello, .events), (.heartbeat, .events), (.goodbye, .events): false
        // The scheduler's.
        case (.welcome, _), (.fault, _), (.accepted, _), (.refused, _), (.results, _), (.cancelled, _),
            (.statusReply, _), (.orderReply, _), (.explanations, _), (.progress, _), (.leases, _), (.durable, _),
            (.stale, _), (.revoke, _), (.offerAgain, _), (.drain, _), (.follow, _), (.checkpointed, _), (.events, _),
            (.workerEvents, _):
            false
        }
    }
}

/// Whose requests a key reaches.
package enum TenantScope: Sendable, Hashable {
    case all
    case only(Set<String>)

    package func contains(_ tenant: String) -> Bool {
        switch self {
        case .all: true
        case .only(let tenants): tenants.contains(tenant)
        }
    }
}
