import FoundationEssentials
import StatexProtocol

extension Explanation {
    /// As ISO 8601; nil: not known.
    package var untilText: String? {
        until > 0 ? Date(timeIntervalSince1970: Double(until) / 1_000_000).formatted(.iso8601) : nil
    }

    /// For people.
    package var sentence: String { sentence(with: detail) }

    /// For people of a tenant: the detail may tell of others and of operators.
    package var sentenceForTenant: String { sentence(with: "") }

    private func sentence(with detail: String) -> String {
        let detail = detail.isEmpty ? "" : " (\(detail))"
        guard let untilText else { return reason.words + detail }
        return "\(reason.words)\(detail), expected until \(untilText)"
    }
}

extension WaitingReason {
    /// As it stands in JSON.
    package var name: String {
        switch self {
        case .none: "none"
        case .notDue: "not_due"
        case .afterJobs: "after_jobs"
        case .kindPaused: "kind_paused"
        case .tenantPaused: "tenant_paused"
        case .noWorkerForKind: "no_worker_for_kind"
        case .noWorkerWithLabels: "no_worker_with_labels"
        case .kindLimit: "kind_limit"
        case .kindRate: "kind_rate"
        case .tenantLimit: "tenant_limit"
        case .tenantRate: "tenant_rate"
        case .slotsBusy: "slots_busy"
        case .next: "next"
        case .committing: "committing"
        case .inWorker: "in_worker"
        case .journalBehind: "journal_behind"
        case .circuitOpen: "circuit_open"
        case .retryBudget: "retry_budget"
        case .quarantined: "quarantined"
        case .everythingPaused: "everything_paused"
        case .noWorkerWithResources: "no_worker_with_resources"
        case .resourcesBusy: "resources_busy"
        case .batchForming: "batch_forming"
        case .warmWorker: "warm_worker"
        case .apart: "apart"
        }
    }

    var words: String {
        switch self {
        case .none: "it does not wait: a worker has it"
        case .notDue: "its time has not come"
        case .afterJobs: "it needs other jobs of its request first"
        case .kindPaused: "its kind is paused"
        case .tenantPaused: "its tenant is paused"
        case .noWorkerForKind: "no worker serves its kind"
        case .noWorkerWithLabels: "no worker has its labels"
        case .kindLimit: "its kind is at its limit"
        case .kindRate: "its kind's starts a second are used up"
        case .tenantLimit: "its tenant is at its limit"
        case .tenantRate: "its tenant's starts a second are used up"
        case .slotsBusy: "every slot that could take it is busy"
        case .next: "it goes out with the next commit"
        case .committing: "its lease is being made durable"
        case .inWorker: "it waits in a worker behind others"
        case .journalBehind: "the journal does not answer"
        case .circuitOpen: "its kind is paused, for every attempt failed"
        case .retryBudget: "its kind may have no more retries now"
        case .quarantined: "free workers fail all of its kind"
        case .everythingPaused: "everything is paused"
        case .noWorkerWithResources: "no worker has the resources that its kind needs"
        case .resourcesBusy: "the resources that its kind needs are in use"
        case .batchForming: "its worker waits for others to run it with"
        case .warmWorker: "it waits for the worker that has its key warm"
        case .apart: "what was lost with several workers runs apart from others, and free workers have such jobs"
        }
    }
}
