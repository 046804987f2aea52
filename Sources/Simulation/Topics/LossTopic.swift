import StatexProtocol

/// Each message type in turn is lost with its connection: whoever sent it must not depend on its arrival.
struct LossTopic: Topic {
    private static let types: [MessageType] = [
        .hello, .welcome, .submit, .accepted, .await, .results, .cancel, .cancelled, .credit, .leases, .outcomes,
        .durable, .claim, .revoke, .heartbeat,
    ]

    var faults: [any SimulatedFault] { Self.types.map { LoseMessage(type: $0) } }
}

private struct LoseMessage: SimulatedFault {
    let type: MessageType
    var name: String { "lose \(type) with its connection" }

    func strike(_ world: World, as cause: Int) -> Bool {
        world.network.ambushes[Int(type.rawValue)] = cause
        return true
    }
}
