import ArgumentParser
import Foundation
import StatexConfiguration
import StatexStack

struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Run everything on this machine: a private Postgres, the scheduler and workers.",
        discussion: """
            Each process is started again when it dies. Ctrl-C stops them in order; the data stays, and the next \
            `statex up` goes on from it. A second Ctrl-C ends the patience.
            """)

    @Option(help: "Holds the database, the sockets and the objects.") var dataDir: String?
    @Option(help: "A database to use instead of a private one.") var database: String?
    @Option(help: "How many worker processes.") var workers: String?
    @Option(help: "How many jobs each worker runs at once.") var slots: String?
    @Option(help: "Where services submit.") var submitEndpoint: String?
    @Option(help: "Where workers connect.") var workerEndpoint: String?
    @Option(help: "Folders of objects, joined by `:`.") var objects: String?
    @Option(
        help: ArgumentHelp(
            "Gets one JSON object once everything serves, and again when a process was replaced.", valueName: "file"))
    var readyFile: String?
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        do {
            let sources = try options.sources([
                "data_dir": dataDir, "database": database, "workers": workers, "slots": slots,
                "submit_endpoint": submitEndpoint,
                "worker_endpoint": workerEndpoint, "objects": objects,
            ])
            let loaded = try LoadedConfiguration.load(sources)
            let stack = Stack(
                configuration: loaded.configuration, program: try Self.ownProgram(), configurationFile: loaded.file,
                readyFile: readyFile.map(Self.absolute), environment: sources.environmentWithFlags)
            Diagnostics.begin("up", loaded.configuration)
            try stack.run { complain($0, .info) }
        } catch let error as StackError {
            throw ending(error.exitCode, error.description)
        } catch let error as ConfigurationError {
            throw ending(.usage, error.description)
        }
    }

    /// By its path, so that a process that is started again is of the version that is installed then.
    private static func ownProgram() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
