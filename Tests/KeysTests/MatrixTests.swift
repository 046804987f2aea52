import StatexKeys
import StatexProtocol
import Testing

/// Each role's messages at each door, written out here once more: what the code says by rules.
@Suite struct MatrixTests {
    private static let greeting: Set<MessageType> = [.hello, .heartbeat, .goodbye]
    private static let looking: Set<MessageType> = [.await, .cancel, .status, .explain]

    private func expected(_ role: KeyRole, _ door: Door) -> Set<MessageType> {
        switch (role, door) {
        case (.client, .submit): Self.greeting.union(Self.looking).union([.submit])
        case (.operator, .submit): Self.greeting.union(Self.looking).union([.order])
        case (.gateway, .submit): Self.greeting.union(Self.looking).union([.submit, .order])
        case (.worker, .worker):
            Self.greeting.union([.credit, .outcomes, .claim, .kept, .report, .checkpoint])
        default: []
        }
    }

    @Test func `every role, door and type of message: what is not written here is refused`() {
        var walked = 0
        for role in KeyRole.allCases {
            for door in Door.allCases {
                let expected = expected(role, door)
                for type in MessageType.allCases {
                    #expect(role.maySend(type, through: door) == expected.contains(type), "\(role) \(door) \(type)")
                    walked += 1
                }
            }
        }
        #expect(walked == KeyRole.allCases.count * Door.allCases.count * MessageType.allCases.count)
    }

    @Test func `what a scheduler says is nobody's to send`() {
        let said: [MessageType] = [
            .welcome, .fault, .accepted, .refused, .results, .cancelled, .statusReply, .orderReply, .explanations,
            .progress, .leases, .durable, .stale, .revoke, .offerAgain, .drain, .follow, .checkpointed, .events,
            .workerEvents,
        ]
        for role in KeyRole.allCases {
            for door in Door.allCases {
                for type in said { #expect(!role.maySend(type, through: door)) }
            }
        }
    }

    @Test func `each role enters its own doors`() {
        let own: [KeyRole: Set<Door>] = [
            .client: [.submit], .worker: [.worker], .gateway: [.submit, .events], .operator: [.submit, .events],
        ]
        for role in KeyRole.allCases {
            for door in Door.allCases { #expect(role.mayEnter(door) == own[role]?.contains(door)) }
        }
    }

    @Test func `only tcp takes keys`() {
        #expect(Door.takesKeys("tcp://0.0.0.0:7301") && !Door.takesKeys("ipc:///run/statex/submit.sock"))
    }
}
