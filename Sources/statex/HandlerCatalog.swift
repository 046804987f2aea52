import Foundation
import StatexConfiguration
import StatexHTTPHandler
import StatexHandlerAPI
import StatexHandlers
import StatexObjects
import StatexProcesses
import StatexWebhooks
import StatexWorkerRuntime

/// The handlers of one worker, as the configuration asks for them: native ones, the built-in programs,
/// and the operator's own, which take the place of built-in ones of the same kind.
struct HandlerCatalog {
    let configuration: Configuration
    let installation: Installation
    let environment: [String: String]
    let slots: Int
    let objects: Stores?

    /// Where handlers' private directories are made.
    let scratch: String

    /// - Parameter scratch: nil: in the data directory.
    init(_ loaded: LoadedConfiguration, slots: Int, objects: Stores?, scratch: String? = nil) {
        configuration = loaded.configuration
        self.scratch = scratch ?? configuration.dataDirectory + "/scratch"
        self.slots = slots
        self.objects = objects
        environment = ProcessInfo.processInfo.environment
        installation = Installation(
            executable: programPath(),
            python: configuration.python.map { [environment] in Self.findProgram($0, environment) },
            models: configuration.modelsDirectory)
    }

    /// Kinds that do harm when asked: served only when they are named, or with the key `fault_handlers`.
    private static let faultKinds = ["crash", "fail", "hang"]

    /// - Parameter only: kinds to serve; nil: all but webhooks, and but the fault handlers unless the configuration has
    ///   them too. Webhooks are delivered by workers that do nothing else, so that no receiver holds up other jobs.
    func handlers(only: [String]?) throws -> [any Handler] {
        var handlers: [String: any Handler] = [:]
        for handler in NativeHandlers.all { handlers[handler.kind] = handler }
        for kind in BuiltInHandlers.kinds {
            let settings = BuiltInHandlers.settings(
                kind, installation, scratch: scratch, processes: slots, environment: environment)
            handlers[kind] = try process(settings, demanded: configuration.isolation)
        }
        if only?.contains(WebhookDelivery.kind) ?? false {
            try configuration.webhooks.checkSecrets()
            handlers[WebhookDelivery.kind] = WebhookHandler(DeliverySettings(configuration.webhooks))
        }
        for own in configuration.handlers { handlers[own.kind] = try handler(own) }
        if let unknown = only?.first(where: { handlers[$0] == nil }) {
            let known = handlers.keys.sorted().joined(separator: ", ")
            throw ending(.usage, "handlers: there is no handler \"\(unknown)\"; there are \(known)")
        }
        if only == nil, !configuration.faultHandlers {
            // An operator's own handler of such a kind is none of ours.
            for kind in Self.faultKinds where !configuration.handlers.contains(where: { $0.kind == kind }) {
                handlers[kind] = nil
            }
        }
        return handlers.values.filter { only?.contains($0.kind) ?? true }.sorted { $0.kind < $1.kind }
    }

    private func process(_ settings: ProcessSettings, demanded: Isolation) throws -> any Handler {
        var settings = settings
        settings.isolation = IsolationLevel(rawValue: demanded.rawValue) ?? .basic
        settings.openObject = openObject
        do throws(HandlerError) { return try ProcessHandler(settings) } catch { throw ending(.failed, error.message) }
    }

    private func handler(_ own: HandlerConfiguration) throws -> any Handler {
        switch own.runner {
        case .process(let program):
            return try process(settings(own.kind, program), demanded: max(program.isolation, configuration.isolation))
        case .http(let server): return HTTPHandler(settings(own.kind, server))
        }
    }

    private func settings(_ kind: String, _ program: HandlerConfiguration.ProcessHandler) -> ProcessSettings {
        var settings = ProcessSettings(
            kind: kind,
            program: [Self.findProgram(program.command.first ?? "", environment)] + program.command.dropFirst(),
            launcher: installation.launcher, scratchRoot: scratch)
        settings.environment = program.environment
        settings.readPaths = program.read
        settings.processes = slots
        settings.limits.memoryBytes = program.memory
        settings.limits.cpuSeconds = Int(program.cpuTime.components.seconds)
        settings.limits.processes = program.processes
        settings.limits.files = program.openFiles
        settings.limits.fileBytes = program.fileSize
        settings.runMilliseconds = milliseconds(program.timeLimit)
        settings.batchSize = program.batchSize
        settings.batchWaitMilliseconds = milliseconds(program.batchWait)
        return settings
    }

    private func settings(_ kind: String, _ server: HandlerConfiguration.HTTPHandler) -> HTTPSettings {
        var settings = HTTPSettings(kind: kind, url: server.url, path: server.path)
        settings.timeoutMilliseconds = milliseconds(server.timeout)
        settings.fields = server.fields
        settings.authorities = server.authorities
        settings.readObject = readObject
        settings.readKey = { [environment] () throws(UnreadableKey) in
            do throws(ConfigurationError) {
                return try server.key?.read(environment: environment)
            } catch {
                throw UnreadableKey(error.description)
            }
        }
        return settings
    }

    private func milliseconds(_ time: Duration) -> Int {
        Int(time.components.seconds) * 1_000 + Int(time.components.attoseconds / 1_000_000_000_000_000)
    }

    /// Reads a job's object whole.
    private var readObject: @Sendable ([UInt8], _ limit: Int) throws(HandlerError) -> [UInt8] {
        { [objects] text, limit throws(HandlerError) in
            guard let objects else {
                throw HandlerError("object", "this worker has no place for objects", retryable: false)
            }
            do throws(ObjectError) {
                return try objects.read(try ObjectReference(text: text), limit: limit)
            } catch {
                throw ObjectLog.failure("object", error, retryable: error.isTransient)
            }
        }
    }

    /// A program that is named without a directory is looked for in PATH. What is not found stays as it is,
    /// and the handler's settings say that it must be an absolute path.
    private static func findProgram(_ name: String, _ environment: [String: String]) -> String {
        guard !name.contains("/") else { return name }
        let places = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
        return places.first { access($0, X_OK) == 0 } ?? name
    }

    /// Opens a job's object under the configured roots.
    private var openObject: @Sendable ([UInt8]) throws(HandlerError) -> CInt {
        { [objects] text throws(HandlerError) in
            guard let objects else {
                throw HandlerError("object", "this worker has no place for objects", retryable: false)
            }
            do throws(ObjectError) {
                let file = try objects.open(try ObjectReference(text: text))
                return file.release()
            } catch {
                throw ObjectLog.failure("object", error, retryable: error.isTransient)
            }
        }
    }
}
