import ArgumentParser
import StatexConfiguration
import StatexObjects
import StatexProtocol

struct ObjectsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "objects", abstract: "Look after the object stores.", subcommands: [SweepCommand.self])
}

struct SweepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Remove objects that no job in the journal names.",
        discussion: """
            An object goes when it was put more than object_retention_days ago and nothing in the journal names it: no \
            payload and no result, of open jobs or of finished history. What people put into the stores under names of \
            their own stays. A scheduler does the same once a day; both may run at once.

            Exit codes: 0 done; 1 a store refused; 4 the journal, or a store, could not be reached.
            """)

    @OptionGroup var place: JournalPlace
    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Folders and buckets of objects, joined by `:`.") var objects: String?
    @Flag(help: "Only say what would be removed.") var dryRun = false
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let loaded = try options.load([
            "database": place.database, "data_dir": place.dataDir, "objects": objects,
        ])
        let reports: [SweepReport]
        do throws(ObjectError) {
            reports = try ObjectSweep(url: loaded.journalURL, loaded.configuration).run(removing: !dryRun)
        } catch {
            throw ending(error.isTransient ? .unreachable : .failed, error.description)
        }
        if json {
            printJSON(reports)
        } else {
            for report in reports { print(dryRun ? "\(report) (nothing was removed: --dry-run)" : "\(report)") }
        }
    }

    private func printJSON(_ reports: [SweepReport]) {
        var text = JSONText()
        text.object {
            $0.member("dry_run", dryRun)
            $0.array("stores", reports) { report, text in
                text.member("location", report.location)
                text.member("objects", report.objects)
                text.member("bytes", Int(clamping: report.bytes))
                text.member("removed", report.removed)
                text.member("removed_bytes", Int(clamping: report.removedBytes))
            }
        }
        print(String(decoding: text.bytes, as: UTF8.self))
    }
}
