import ArgumentParser
import StatexJournal
import StatexPostgres
import StatexProtocol

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Judge a journal: chain unbroken, one final outcome a job, no outcome of a stale lease.",
        discussion:
            "Reads only, from one snapshot, also while a scheduler runs. Exits 0 when it is sound, 1 with violations, 4 when the database could not be read."
    )

    @OptionGroup var place: JournalPlace
    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "Every job must be final.") var allFinal = false
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let shows = !json && isTerminal
        let loaded = try configuration.load(["database": place.database, "data_dir": place.dataDir])
        var report: VerifyReport
        do throws(PostgresError) {
            report = try Verifier(url: loaded.journalURL).run { if shows { complain($0) } }
        } catch {
            throw ending(.unreachable, loaded.unreachable(error))
        }
        if allFinal, report.open > 0 { report.violation("\(report.open) jobs are open") }
        if json {
            var text = JSONText()
            text.object {
                for (name, value) in numbers(report) { $0.member(name, value) }
                $0.strings("violation_texts", report.violations)
            }
            print(String(decoding: text.bytes, as: UTF8.self))
        } else {
            for (name, value) in numbers(report) { print("\(name): \(value)") }
            for violation in report.violations { print("  \(violation)") }
        }
        if report.violationCount > 0 { throw ExitCode.failure }
    }

    private func numbers(_ report: VerifyReport) -> [(String, Int)] {
        [
            ("commits", report.commits), ("jobs", report.jobs), ("leases", report.leases),
            ("outcomes", report.outcomes),
            ("finals", report.finals), ("open", report.open), ("results", report.results),
            ("violations", report.violationCount),
        ]
    }
}

struct SQLCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Print the schema's migrations, in order.")
    @Flag(help: "Print one JSON object.") var json = false

    func run() {
        guard !json else {
            var text = JSONText()
            text.object {
                $0.array("migrations", Migrator.steps) { step, text in
                    text.member("number", step.number)
                    text.member("name", step.name)
                    text.member("sql", step.sql)
                }
            }
            return print(String(decoding: text.bytes, as: UTF8.self))
        }
        for step in Migrator.steps { print("-- \(step.number) \(step.name)\n\n\(step.sql)") }
    }
}
