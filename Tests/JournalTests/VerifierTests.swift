import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    /// Each plants one fault in a copy of a sound journal.
    @Suite("The verifier")
    struct VerifierTests {
        private struct Plant: Sendable {
            let name: String
            let sql: String
            /// What must be said; `$J` stands for the job, `$B` for the commit.
            let finds: String
        }

        /// The job whose life is changed: it was retried once. Its commits: submitted, leased, failed and
        /// leased again, succeeded with a result.
        private static let plants = [
            Plant(
                name: "a commit is missing", sql: "DELETE FROM statex.commits WHERE batch = 3", finds: "1 are missing"),
            Plant(
                name: "an epoch falls", sql: "UPDATE statex.commits SET epoch = 0 WHERE batch = 4",
                finds: "epoch, next id or next token is lower"),
            Plant(
                name: "ids fall", sql: "UPDATE statex.commits SET next_id = 1 WHERE batch = 4",
                finds: "epoch, next id or next token is lower"),
            Plant(name: "a job is missing", sql: "DELETE FROM statex.jobs", finds: "and no row"),
            Plant(
                name: "another job is missing", sql: "DELETE FROM statex.jobs", finds: "says jobs, leases, outcomes"),
            Plant(
                name: "a job was changed", sql: "UPDATE statex.jobs SET opts = opts + (1::bigint << 33)",
                finds: "a row was changed"),
            Plant(
                name: "the last outcome twice",
                sql: "INSERT INTO statex.outcome_chunks SELECT * FROM statex.outcome_chunks WHERE batch = 5",
                finds: "2 final outcomes"),
            Plant(
                name: "an outcome after the final one",
                sql:
                    "UPDATE statex.outcome_chunks SET ends = array_replace(ends, 2::smallint, (1 + 10 * 256)::smallint) WHERE batch = 4",
                finds: "an outcome after its final one"),
            Plant(
                name: "a lease after the final outcome",
                sql:
                    "INSERT INTO statex.lease_chunks SELECT 6, page, base + 10, at, offsets, tokens, attempts, workers FROM statex.lease_chunks WHERE batch = 3",
                finds: "a lease after its final outcome"),
            Plant(
                name: "a lease is missing", sql: "DELETE FROM statex.lease_chunks WHERE batch = 4",
                finds: "which was never leased"),
            Plant(
                name: "an outcome of a stale token",
                sql: "UPDATE statex.outcome_chunks SET batch = 5 WHERE batch = 4", finds: "stale token"),
            Plant(
                name: "leased while another lease is live", sql: "DELETE FROM statex.outcome_chunks WHERE batch = 4",
                finds: "was live"),
            Plant(
                name: "the same token twice",
                sql: "INSERT INTO statex.lease_chunks SELECT * FROM statex.lease_chunks WHERE batch = 4",
                finds: "two leases with token"),
            Plant(
                name: "ended before it was leased", sql: "UPDATE statex.lease_chunks SET batch = 5 WHERE batch = 3",
                finds: "ended before it was leased"),
            Plant(name: "a result is missing", sql: "DELETE FROM statex.results", finds: "results, there are 0"),
            Plant(
                name: "a result of another token", sql: "UPDATE statex.results SET token = token + 50",
                finds: "without its outcome"),
            Plant(name: "a checkpoint is missing", sql: "DELETE FROM statex.checkpoints", finds: "a row was changed"),
            Plant(
                name: "a checkpoint of a stale token", sql: "UPDATE statex.checkpoints SET token = token - 1",
                finds: "which was not live"),
            Plant(
                name: "a worker was changed", sql: "UPDATE statex.lease_chunks SET workers = '{77}' WHERE batch = 4",
                finds: "a row was changed"),
        ]

        @Test("A sound journal is sound, and every planted fault is found")
        func plants() throws {
            let sound = try journal()
            let report = try sound.verify()
            #expect(report.violations == [])
            #expect(report.jobs == 1 && report.leases == 2 && report.outcomes == 2 && report.finals == 1)
            #expect(report.results == 1 && report.open == 0 && report.commits == 5)
            for plant in Self.plants {
                let copy = try JournalDatabase(copying: sound)
                try copy.run(plant.sql)
                let found = try copy.verify()
                #expect(found.violations.contains { $0.contains(plant.finds) }, "\(plant.name): \(found.violations)")
            }
        }

        /// One job: a lease that failed, a lease that succeeded with a result.
        private func journal() throws -> JournalDatabase {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            let life = maker.lives(1)
            maker.head.batch -= 1
            let (job, lease, outcome) = (life.jobs, life.leases, life.outcomes)
            for step in 0..<4 {
                let batch = CommitBatch()
                if step == 0 {
                    batch.jobs = job
                    batch.payloads.buffer.append([UInt8]([1, 2, 3]))
                }
                if step == 1 || step == 2 {
                    batch.leases = lease
                    batch.leases[0].token += UInt64(step)
                }
                if step >= 2 {
                    batch.outcomes = outcome
                    batch.outcomes[0].token += UInt64(step) - 1
                }
                if step == 2 {
                    batch.outcomes[0].ending = .failed
                    batch.outcomes[0].final = nil
                }
                if step == 3 {
                    batch.checkpoints.append(.init(job: job[0].id, token: lease[0].token + 2, start: 0, length: 1))
                    batch.outcomes[0].result = 0
                    batch.resultBytes.append([UInt8]([7]))
                    batch.results.append(
                        .init(
                            job: job[0].id, token: lease[0].token + 2, ending: .succeeded, encoding: 0, start: 0,
                            length: 1))
                }
                maker.head.nextToken += 2
                maker.number(batch)
                writer.encode(batch)
                try writer.send(on: connection) { -1 }
            }
            return database
        }
    }
}
