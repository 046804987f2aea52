import ArgumentParser
import Glibc
import StatexConfiguration
import StatexHandlerAPI
import StatexHandlers
import StatexObjects
import StatexProcesses
import StatexStack
import StatexWorkerRuntime

/// `statex worker`: one worker process, until SIGTERM or SIGINT drains it.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run one worker: slots that run jobs, until SIGTERM drains it.")

    @Option(help: "The scheduler's worker endpoint, such as ipc:///run/statex/worker.sock.") var endpoint: String?
    @Option(help: "How many jobs run at the same time.") var slots: String?
    @Option(help: "The worker's name in status (default: host and process id).") var name: String?
    @Option(help: "Folders and buckets of objects, joined by `:`; results above 64 KiB go to the first.")
    var objects: String?
    @Option(help: "How long running jobs may go on after SIGTERM, in seconds.") var drainSeconds: String?
    @Option(help: "Kinds to serve, separated by commas (default: all but crash, fail and hang, which tests ask for).")
    var handlers: String?
    @OptionGroup var keys: PeerKeyOptions
    @OptionGroup var options: ConfigurationOptions
    @Option(help: "How it writes its log: text or json.") var logFormat: String?

    func run() async throws {
        let (worker, traces) = try await prepare()
        Signals.onStop { worker.drain() }
        do throws(WorkerError) {
            try await traces.exported { () async throws(WorkerError) in try await worker.run() }
        } catch {
            throw ending(.failed, "worker: \(error)")
        }
    }

    private func prepare() async throws -> (Worker, Traces) {
        let loaded = try options.load([
            "worker_endpoint": endpoint, "slots": slots, "objects": objects, "drain_seconds": drainSeconds,
            "log_format": logFormat, "peer_key": keys.peerKey, "server_public_key": keys.serverPublicKey,
        ])
        let configuration = loaded.configuration
        Diagnostics.begin("worker", configuration)
        do throws(StackError) {
            // Handlers run as other users below it.
            try makePath(configuration.dataDirectory, mode: geteuid() == 0 ? 0o711 : 0o700)
        } catch {
            throw ending(.failed, "data_dir: \(error)")
        }
        let stores = try openStores(configuration)
        let catalog = HandlerCatalog(loaded, slots: configuration.slots, objects: stores)
        var options = WorkerOptions()
        options.name = name
        options.labels = configuration.labels
        options.resources = configuration.resources
        options.drainSeconds = Double(configuration.drainTime.components.seconds)
        options.keyFile = configuration.peerKey
        options.schedulerKeyFile = configuration.serverPublicKey
        options.logsJSON = configuration.logFormat == .json
        options.objectSink = stores.map(sink)
        options.isolation =
            probeIsolation(
                launcher: catalog.installation.launcher, scratchRoot: catalog.scratch
            ).level.rawValue
        let kinds = handlers?.split(separator: ",").map(String.init)
        let served = try catalog.handlers(only: kinds)
        var probes: WorkerProbes?
        let traces = try Traces(configuration, of: "worker", instance: name)
        options.spans = traces.spans
        if let place = configuration.workerProbes {
            probes = await WorkerProbes(at: place, handlers: served, spans: traces.spans)
        }
        options.figures = probes?.figures
        options.onReady = { [probes] in announceReady(probes?.address.map { [$0] } ?? []) }
        do throws(WorkerError) {
            let worker = try Worker(
                endpoint: configuration.workerEndpoint, slots: configuration.slots,
                handlers: served,
                options: options)
            return (worker, traces)
        } catch {
            throw ending(.failed, "worker: \(error)")
        }
    }

    private func sink(_ stores: Stores) -> ObjectSink {
        { bytes throws(HandlerError) in
            do throws(ObjectError) {
                return try stores.put(bytes).text
            } catch {
                throw ObjectLog.failure("objects", error, after: "the result could not be stored: ")
            }
        }
    }
}
