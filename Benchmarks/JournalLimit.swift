import StatexJournal
import StatexStack

/// The floor and the journal, each alone, in a private Postgres.
package enum JournalLimit {
    package static func run() throws -> (floor: Double, journal: Double) {
        let directory = try BenchStack.temporaryDirectory()
        defer { try? BenchStack.remove(directory) }
        var postgres = try EmbeddedPostgres(directory: directory + "/data")
        try postgres.start()
        let floor = try Floor.run(url: postgres.url)
        let journal = try JournalLoad.run(
            url: postgres.url, owner: Owner(number: .random(in: 1 ... .max), name: "bench limit"))
        try postgres.stop()
        return (floor, journal)
    }
}
