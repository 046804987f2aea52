import StatexClient
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import Synchronization
import Testing

@testable import StatexJournal

extension JournalTests {
    /// What a stream that comes again is told: what it would have heard.
    @Suite("Events that a stream missed")
    struct EventReplayTests {
        /// One request of two jobs, of which the first is dead and retried by hand, and that again; among others.
        private struct Story: ~Copyable {
            private static let hour: UInt64 = 480_000
            private static let incarnation: UInt64 = 9

            let database: JournalDatabase
            private let connection: Connection
            private var maker: BatchMaker
            private var tokens: [UInt64: UInt64] = [:]
            // Rows of the next commit.
            private var jobs: [CommitBatch.JobRow] = []
            private var options: [CommitBatch.OptionsRow] = []
            private var leases: [CommitBatch.LeaseRow] = []
            private var outcomes: [CommitBatch.OutcomeRow] = []

            init() throws {
                let database = try JournalDatabase()
                let connection = try database.connect()
                try Statements.prepareCommit(on: connection)
                try Partitions.prepare(on: connection, at: Int64(Self.hour) * 3_600_000_000, hour: Self.hour, batch: 1)
                self.database = database
                self.connection = connection
                maker = BatchMaker(
                    head: ChainHead(
                        batch: 0, incarnation: Self.incarnation, epoch: 1, nextID: Self.hour << 43, nextToken: 1,
                        nextName: 4))
            }

            mutating func create(index: UInt16 = 0, of count: UInt16) -> UInt64 {
                add(index: index, of: count, hasOptions: false)
            }

            mutating func retry(_ letter: UInt64, of request: UInt64) -> UInt64 {
                let id = add(index: 0, of: 1, hasOptions: true)
                options.append(.init(id: id, options: JobOptions(), labels: [], retryOf: letter, request: request))
                return id
            }

            private mutating func add(index: UInt16, of count: UInt16, hasOptions: Bool) -> UInt64 {
                let id = maker.head.nextID
                maker.head.nextID += 1
                jobs.append(
                    .init(
                        id: id,
                        opts: JobOpts.pack(
                            index: index, count: count, priority: 5, attempts: 1, encoding: 0, hasOptions: hasOptions),
                        kind: 1, tenant: 2, payloadStart: 0, payloadLength: 3))
                return id
            }

            mutating func lease(_ id: UInt64) {
                tokens[id] = maker.head.nextToken
                leases.append(
                    .init(id: id, token: maker.head.nextToken, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
                maker.head.nextToken += 1
            }

            mutating func end(_ id: UInt64, _ ending: Ending, _ final: JobState) {
                outcomes.append(
                    .init(
                        id: id, token: tokens[id] ?? 0, started: 0.5, ended: 0.25, retry: -1, ending: ending,
                        final: final, result: -1, slot: 0))
            }

            /// With a neighbour's whole life, behind them.
            mutating func commit() throws {
                let batch = maker.lives(1)
                batch.jobs.insert(contentsOf: jobs, at: 0)
                batch.options = options
                batch.leases.insert(contentsOf: leases, at: 0)
                batch.outcomes.insert(contentsOf: outcomes, at: 0)
                (jobs, options, leases, outcomes) = ([], [], [], [])
                var writer = CommitWriter(owner: Owner(number: 1, name: "owner"))
                writer.encode(batch)
                try writer.send(on: connection) { -1 }
            }

            /// Behind the last commit.
            var end: EventPlace {
                EventPlace(incarnation: Self.incarnation, position: EventPosition(batch: maker.head.batch + 1))
            }
        }

        /// Somebody who waits until it was asked so often.
        private final class Patience: Sendable {
            private let count = Mutex(0)
            private let most: Int

            init(_ most: Int) { self.most = most }

            var asked: Int { count.withLock { $0 } }
            var isLeft: Bool {
                count.withLock { count in
                    count += 1
                    return count <= most
                }
            }
        }

        /// Everything that the request's listeners hear, read as a whole.
        private func heard(_ request: UInt64, in database: JournalDatabase, to end: EventPlace) throws -> [JobEvent] {
            var history = try EventHistory(url: database.url)
            return try history.events(from: EventPosition(batch: 1), to: end.position).events.filter {
                $0.request.rawValue == request
            }
        }

        private func told(_ part: EventReplay.Part) -> [JobEvent] {
            part.news.compactMap { if case .event(let event) = $0 { event } else { nil } }
        }

        @Test("From each place on it is told the rest, also of what was retried by hand, and of that retry's retry")
        func retries() throws {
            var story = try Story()
            let first = story.create(of: 2)
            let second = story.create(index: 1, of: 2)
            story.lease(first)
            story.lease(second)
            try story.commit()
            story.end(first, .failed, .dead)
            try story.commit()
            let retry = story.retry(first, of: first)
            story.lease(retry)
            try story.commit()
            story.end(retry, .failed, .dead)
            try story.commit()
            let again = story.retry(retry, of: first)
            try story.commit()
            story.lease(again)
            try story.commit()

            var history = try EventHistory(url: story.database.url)
            let whileOpen = try heard(first, in: story.database, to: story.end)
            #expect(
                whileOpen.map(\.type) == [
                    .requestCreated, .jobLeased, .jobLeased, .jobDead, .jobLeased, .jobDead, .jobLeased,
                ])
            #expect(whileOpen.map(\.id.rawValue) == [first, first, second, first, retry, retry, again])
            for (place, event) in whileOpen.enumerated() {
                let replay = EventReplay(after: event.sequence, to: story.end)
                let part = try replay.events(
                    ofRequest: JobID(rawValue: first), jobs: 2, isOver: false, commits: 64, in: &history)
                #expect(told(part) == Array(whileOpen.dropFirst(place + 1)) && part.trouble == nil)
            }
            // Of a job alone, what is of it alone.
            let replay = EventReplay(after: whileOpen[0].sequence, to: story.end)
            for id in [first, retry] {
                let part = try replay.events(ofJob: JobID(rawValue: id), isOver: true, commits: 64, in: &history)
                #expect(told(part).map(\.type) == [.jobLeased, .jobDead])
            }
            let few = try replay.events(
                ofRequest: JobID(rawValue: first), jobs: 2, isOver: false, commits: 3, in: &history)
            #expect(told(few).isEmpty && few.news.count == 1 && few.trouble != nil)
        }

        @Test("What nobody waits for any more is given up between two commits, and is no part of an answer")
        func givenUp() throws {
            var story = try Story()
            let first = story.create(of: 1)
            try story.commit()
            story.lease(first)
            try story.commit()
            story.end(first, .failed, .dead)
            try story.commit()
            var history = try EventHistory(url: story.database.url)
            let had = EventSequence(incarnation: 9, batch: 1, index: 0)
            // Of three commits the first is wanted.
            let hasty = Patience(1)
            var failure: PostgresError?
            do throws(PostgresError) {
                _ = try EventReplay(after: had, to: story.end, while: { hasty.isLeft }).events(
                    ofRequest: JobID(rawValue: first), jobs: 1, isOver: true, commits: 64, in: &history)
            } catch {
                failure = error
            }
            #expect(failure != nil && hasty.asked == 2)
            // The connection is as good as before.
            let part = try EventReplay(after: had, to: story.end).events(
                ofRequest: JobID(rawValue: first), jobs: 1, isOver: true, commits: 64, in: &history)
            #expect(told(part).map(\.type) == [.jobLeased, .jobDead, .requestFailed])
        }

        @Test("What is retried when the request has ended is not told, and its end is, if nobody heard it yet")
        func behindTheEnd() throws {
            var story = try Story()
            let first = story.create(of: 2)
            let second = story.create(index: 1, of: 2)
            story.lease(first)
            story.lease(second)
            story.end(first, .failed, .dead)
            try story.commit()
            let retry = story.retry(first, of: first)
            story.lease(retry)
            try story.commit()
            let beforeItsEnd = story.end
            // In one commit, and the retry behind the request.
            story.end(second, .succeeded, .succeeded)
            story.end(retry, .failed, .dead)
            try story.commit()
            let again = story.retry(retry, of: first)
            for _ in 0..<4 {
                story.lease(again)
                try story.commit()
            }

            var history = try EventHistory(url: story.database.url)
            let all = try heard(first, in: story.database, to: story.end)
            let last = try #require(all.firstIndex { $0.type == .requestFailed })
            #expect(all.dropFirst(last + 1).map(\.id.rawValue) == [retry] + Array(repeating: again, count: 4))
            for end in [beforeItsEnd, story.end] {
                for (place, event) in all.enumerated() {
                    let replay = EventReplay(after: event.sequence, to: end)
                    // What follows the end counts for nothing, however much it is.
                    let part = try replay.events(
                        ofRequest: JobID(rawValue: first), jobs: 2, isOver: true, commits: 3, in: &history)
                    #expect(told(part) == Array(all[...last].dropFirst(place + 1)) && part.trouble == nil)
                }
            }
        }
    }
}
