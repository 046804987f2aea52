import StatexClient
import StatexReads
import Synchronization

/// Whether the gateway can do its work: its journal and its scheduler answer. A load balancer asks often, so an
/// answer holds for a moment.
final class Readiness: Sendable {
    struct Reason: Sendable, Equatable {
        let part: String
        let text: String
    }

    private let reads: ReadPool
    private let scheduler: SchedulerLink
    private let last = Mutex<(reasons: [Reason], at: ContinuousClock.Instant)?>(nil)

    init(reads: ReadPool, scheduler: SchedulerLink) {
        self.reads = reads
        self.scheduler = scheduler
    }

    /// Why it is not ready; none: it is.
    /// - Parameter fresh: looks, whatever was found a moment ago.
    func reasons(fresh: Bool = false) async -> [Reason] {
        let now = ContinuousClock.now
        if !fresh, let last = last.withLock({ $0 }), now - last.at < GatewayLimits.readinessAge { return last.reasons }
        async let journal = journalReason()
        async let scheduler = schedulerReason()
        let reasons = [await journal, await scheduler].compactMap { $0 }
        last.withLock { $0 = (reasons, .now) }
        return reasons
    }

    private func journalReason() async -> Reason? {
        do throws(ReadError) {
            try await reads.read(within: GatewayLimits.readinessPatience) { reader throws(ReadError) in
                try reader.check()
            }
            return nil
        } catch {
            return Reason(part: "journal", text: Problem(error).detail)
        }
    }

    private func schedulerReason() async -> Reason? {
        guard let client = try? scheduler.client() else {
            return Reason(part: "scheduler", text: "it was not there yet")
        }
        let failure = await withTaskGroup(of: ClientError?.self) { group in
            group.addTask {
                do throws(ClientError) {
                    _ = try await client.schedulerStatus()
                    return nil
                } catch {
                    return error
                }
            }
            group.addTask {
                try? await Task.sleep(for: GatewayLimits.readinessPatience)
                return .unreachable("")
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        return failure.map { Reason(part: "scheduler", text: Problem($0).detail) }
    }
}
