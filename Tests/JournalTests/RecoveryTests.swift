import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    @Suite("Recovery")
    struct RecoveryTests {
        @Test("A page whose closing was never recorded is closed after a recovery, and not read again")
        func closing() throws {
            // The first day has two pages, with open jobs in the second; each later day has one.
            let past = try Past()
            let first = (Past.firstDay * 24 << 43) >> 12
            let state = try Recovery(url: past.database.url).run()
            #expect(state.finishedPages.first == first && state.finishedPages.count == 9)
            #expect(!state.finishedPages.contains(first + 1))

            let opened = try past.database.settings(owner: 2).open()
            var core = SchedulerCore(CoreSettings(), head: opened.head, seed: 1)
            let now = Now(monotonic: 1, wall: past.time(day: 8, hour: 1))
            core.recoveredName(.kind, "echo", number: 1, at: now)
            core.recoveredName(.tenant, "default", number: 2, at: now)
            core.recovered(state.jobs, workerNames: state.workerNames, at: now)
            core.recoveredFinishedPages(state.finishedPages)
            let taken = core.takeBatch(at: now)
            let batch = try #require(taken)
            // Not the page that the next id stands in.
            #expect(batch.pagesClosed == state.finishedPages.dropLast())
            var writer = CommitWriter(owner: Owner(number: 2, name: "owner 2"))
            writer.encode(batch)
            try writer.send(on: opened.connection) { -1 }

            let again = try Recovery(url: past.database.url).run()
            #expect(again.finishedPages == [state.finishedPages[8]])
            #expect(again.jobs.map(\.id) == state.jobs.map(\.id))
            #expect(try past.database.verify().violations == [])
        }
    }
}
