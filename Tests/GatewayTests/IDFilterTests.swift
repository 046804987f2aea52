import NIOCore
import StatexClient
import StatexProtocol
import Testing

@testable import StatexGateway

struct IDFilterTests {
    private func id(_ number: Int) -> JobID { JobID(rawValue: UInt64(number)) }

    @Test func `an id that was added is never missed, most others are`() {
        var random = SystemRandomNumberGenerator()
        let ids = Set((0..<1_000).map { _ in JobID(rawValue: .random(in: 1..<1 << 63, using: &random)) })
        var filter = IDFilter()
        for id in ids { filter.add(id) }
        #expect(ids.allSatisfy(filter.mayHave))
        // 1,000 of 65,536 places are taken at most.
        let others = (0..<65_536).map { id(1 << 40 + $0) }
        #expect(others.count(where: filter.mayHave) <= 1_000)
    }

    @Test func `ids that share their place are both found, and one that left may be until it is made anew`() {
        var filter = IDFilter()
        filter.add(id(7))
        #expect(filter.mayHave(id(65_536 + 7)) && !filter.mayHave(id(8)))
        filter.replace(with: [id(65_536 + 9)])
        #expect(!filter.mayHave(id(7)) && filter.mayHave(id(9)))
    }

    @Test func `listeners come and go, and those that stay hear on`() async {
        func listener(_ request: Int) -> Listener {
            Listener(.request(id(request)), had: nil, box: StreamBox(limit: 10_000, cut: {}))
        }
        var audience = Audience()
        let stays = listener(5)
        audience.add(stays)
        // The filter is made anew more than once, also with one of the same place among those that leave.
        for number in [65_536 + 5, 6, 7, 8, 9] {
            let leaves = listener(number)
            audience.add(leaves)
            audience.remove(leaves)
        }
        let again = listener(6)
        audience.add(again)
        for number in [5, 6, 7] {
            let told = JobEvent(
                .requestCompleted, sequence: EventSequence(incarnation: 1, batch: 1, index: 0), id: id(number),
                request: id(number), index: 0, kind: "text", tenant: "acme", worker: nil, number: 1, ending: nil, at: 0)
            audience.hear(told, at: 1)
        }
        for listener in [stays, again] {
            listener.box.end()
            #expect(await listener.box.next().map { String(buffer: $0) }?.contains("request.completed") == true)
        }
    }
}
