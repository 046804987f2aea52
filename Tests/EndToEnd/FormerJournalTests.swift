import StatexProtocol
import Testing

extension EndToEnd {
    /// Workers that come back after the journal was restored.
    @Suite struct FormerJournalTests {
        @Test func `what a worker holds of former journals is refused under the names of those`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let worker = try RawWorker(stack.workerEndpoint())
                let (first, second) = (worker.stamp.incarnation ^ 1, worker.stamp.incarnation ^ 2)
                let id = JobID(rawValue: 7)

                try worker.claim(TokenRecord(id, token: 1), tokensOf: first)
                let revoked = try worker.answer(.revoke)
                #expect(revoked.incarnation == first)
                #expect(revoked.tokens == [1])

                // The same number in three journals: three leases.
                let journals = [first, second, worker.stamp.incarnation]
                for journal in journals {
                    try worker.report(OutcomeRecord(id: id, token: 2, ending: .succeeded), tokensOf: journal)
                }
                var refused: [UInt64] = []
                for _ in journals {
                    let stale = try worker.answer(.stale)
                    #expect(stale.tokens == [2])
                    refused.append(stale.incarnation)
                }
                #expect(refused.sorted() == journals.sorted())
            }
        }
    }
}
