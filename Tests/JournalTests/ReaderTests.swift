import StatexHandOff
import StatexProtocol
import StatexThreads
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    @Suite("Reading")
    struct ReaderTests {
        /// What a reader answers to these requests.
        private func answers(to requests: [ReadRequest]) throws -> (answers: [ReadAnswer], complaints: [String]) {
            let database = try JournalDatabase()
            let handOff = try HandOff()
            let epoch = try database.settings(owner: 1).open().head.epoch
            let url = database.url
            let complaints = Mailbox<String>(wakeup: try Wakeup())
            let reading = NamedThread("reader") {
                var reader = Reader(url: url, keyDays: 7, epoch: epoch, handOff: handOff) { complaints.put($0) }
                reader.run()
            }
            for request in requests { handOff.reads.put(request) }
            // The last answer; and a reader that asks for ever what is refused would never come to it.
            handOff.reads.put(.keys([], unique: [], tag: 99))
            var answers: [ReadAnswer] = []
            var isDone = false
            for _ in 0..<300 where !isDone {
                handOff.eventWakeup.wait(milliseconds: 100)
                for case .read(let answer) in handOff.events.takeAll() {
                    if case .keys(_, _, 99) = answer { isDone = true } else { answers.append(answer) }
                }
            }
            #expect(isDone)
            handOff.reads.put(.stop)
            if isDone { reading.join() }
            return (answers, complaints.takeAll())
        }

        @Test("What Postgres refuses for its data is told to who asked; who asked for something else gets it")
        func refusals() throws {
            // Integers of the wire have 64 bits, those of Postgres a sign.
            func outcome(_ token: UInt64) -> Outbox.OutcomeLookup {
                Outbox.OutcomeLookup(worker: 0, session: 1, id: 1, token: token, ending: .succeeded)
            }
            var order = Order(.cancel, number: .max, who: "mira")
            order.filter.everything = true
            let lookup = OrderLookup(order: order, sender: Producer(high: 1, low: 2), lowestOpen: 0)
            let (answers, complaints) = try answers(to: [
                .outcomes([outcome(1), outcome(2), outcome(.max), outcome(3)]), .order(lookup),
            ])
            var found: [UInt64] = []
            var refused: [String] = []
            for answer in answers {
                switch answer {
                case .outcomes(let all): found += all.map(\.lookup.token)
                case .refused(.outcomes(let all), let reason):
                    refused.append("outcome \(all.map(\.token)): \(reason.contains("out of range"))")
                case .refused(.order, let reason): refused.append("order: \(reason.contains("out of range"))")
                default: Issue.record("an answer to nothing: \(answer)")
                }
            }
            #expect(found == [1, 2, 3])
            #expect(refused == ["outcome [\(UInt64.max)]: true", "order: true"])
            #expect(complaints.count == 2)
        }
    }
}
