import Foundation
import StatexClient
import StatexProtocol

/// Waits for a request's results, and says on stderr when a job waits for something that somebody must do: a job
/// that nobody will run looks like one that takes long.
struct ResultWait {
    /// Time for workers that are just starting.
    private static let firstLook = Duration.seconds(2)
    private static let nextLooks = Duration.seconds(10)

    private let handle: RequestHandle
    private let client: Client
    private let timeout: Double?
    private let printer: UpdatePrinter

    private enum Event: Sendable {
        case ended(Result<RequestStatus, ClientError>)
        case timedOut
        case stoppedLooking
    }

    init(_ handle: RequestHandle, _ client: Client, timeout: Double?, printer: UpdatePrinter) {
        self.printer = printer
        self.handle = handle
        self.client = client
        self.timeout = timeout
    }

    /// The results; how it stands, when the time was over first.
    func run() async throws(ClientError) -> RequestStatus {
        let result = await withTaskGroup(of: Event.self) { group -> Result<RequestStatus, ClientError>? in
            group.addTask {
                do throws(ClientError) { return .ended(.success(try await end())) } catch {
                    return .ended(.failure(error))
                }
            }
            group.addTask {
                await look()
                return .stoppedLooking
            }
            if let timeout {
                group.addTask {
                    // Cut short when the result was first; nobody looks at this event then.
                    try? await Task.sleep(for: .seconds(timeout))
                    return .timedOut
                }
            }
            defer { group.cancelAll() }
            for await event in group {
                switch event {
                case .ended(let result): return result
                case .timedOut: return nil
                case .stoppedLooking: continue
                }
            }
            return nil
        }
        if let result { return try result.get() }
        return try await handle.status()
    }

    /// Waits, and shows what comes before.
    private func end() async throws(ClientError) -> RequestStatus {
        guard printer.isNeeded else { return try await handle.result() }
        defer { printer.clear() }
        for try await update in handle.updates {
            printer.show(update)
            if case .finished(let status) = update { return status }
        }
        return try await handle.result()
    }

    /// Says each reason of a kind once, until it is cancelled.
    private func look() async {
        var said = Set<String>()
        var pause = Self.firstLook
        while (try? await Task.sleep(for: pause)) != nil {
            pause = Self.nextLooks
            guard let status = try? await handle.status() else { continue }
            var asked = Set<String>()
            for job in status.jobs where !job.state.isFinal && asked.insert(job.kind).inserted {
                guard let explanation = try? await client.explain(job: job.id), explanation.reason.needsSomebody,
                    said.insert("\(job.kind) \(explanation.reason)").inserted
                else { continue }
                complain(await words(for: job.kind, explanation))
            }
        }
    }

    private func words(for kind: String, _ explanation: Explanation) async -> String {
        guard explanation.reason == .noWorkerForKind else {
            return "\(printable(kind)) waits: \(printable(explanation.sentence))"
        }
        let text = (try? await client.schedulerStatus()) ?? ""
        let serving = try? JSONDecoder().decode(Serving.self, from: Data(text.utf8))
        let reason = serving?.reason(kind).map { " (\(printable($0)))" } ?? ""
        return "no worker serves kind \(printable(kind))\(reason); waiting for one"
    }
}

extension WaitingReason {
    /// It does not pass by itself.
    fileprivate var needsSomebody: Bool {
        switch self {
        case .noWorkerForKind, .noWorkerWithLabels, .noWorkerWithResources, .kindPaused, .tenantPaused,
            .everythingPaused, .circuitOpen,
            .quarantined, .journalBehind:
            true
        case .none, .notDue, .afterJobs, .kindLimit, .kindRate, .tenantLimit, .tenantRate, .slotsBusy, .resourcesBusy,
            .next,
            .committing, .inWorker, .retryBudget, .batchForming, .warmWorker, .apart:
            false
        }
    }
}

/// What a scheduler's status says of the kinds that its workers do not offer.
private struct Serving: Decodable {
    struct Worker: Decodable {
        struct Kind: Decodable {
            var kind: String
            var reason: String?
        }
        var unavailable: [Kind]
    }
    var workers: [Worker]

    /// Why a worker that has the handler does not offer it.
    func reason(_ kind: String) -> String? {
        workers.lazy.flatMap(\.unavailable).first { $0.kind == kind }?.reason
    }
}
