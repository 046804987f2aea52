import StatexHandlerAPI
import StatexProtocol
import StatexThreads
import StatexWorkerCore
import Synchronization

/// Where handlers lay down what they say before they are done, and the owner of the core picks it up. Its mutex
/// is taken only by handlers that say something.
package final class ReportDesk: JobListener {
    private struct State {
        /// In the order of their first word.
        var reports: [AttemptReport] = []
        var places: [LeaseHandle: Int] = [:]
    }

    private let state = Mutex(State())
    private let hasReports = Atomic<Bool>(false)
    private let onFirst: @Sendable () -> Void

    /// - Parameter onFirst: called when something lies here after nothing did, from any thread.
    package init(onFirst: @escaping @Sendable () -> Void) { self.onFirst = onFirst }

    package var isEmpty: Bool { !hasReports.load(ordering: .acquiring) }

    package func take() -> [AttemptReport] {
        state.withLock { state in
            hasReports.store(false, ordering: .releasing)
            state.places.removeAll(keepingCapacity: true)
            defer { state.reports = [] }
            return state.reports
        }
    }

    package func progressed(_ progress: Progress, attempt: UInt64) {
        let text = Array(ResultRules.text(progress.text, Limits.progressTextBytes).utf8)
        add(attempt) { $0.progressed(ProgressRecord.fraction(of: progress.fraction), text) }
    }

    package func put(_ piece: String, attempt: UInt64) {
        guard !piece.isEmpty else { return }
        let bytes = Array(ResultRules.text(piece, .max).utf8)
        add(attempt) { $0.put(bytes) }
    }

    package func saved(checkpoint: [UInt8], attempt: UInt64) {
        add(attempt) { $0.checkpoint = checkpoint }
    }

    private func add(_ attempt: UInt64, _ change: (inout AttemptReport) -> Void) {
        let isFirst = state.withLock { state in
            let handle = LeaseHandle(number: attempt)
            let place = state.places[handle] ?? state.reports.count
            if place == state.reports.count {
                state.reports.append(AttemptReport(handle))
                state.places[handle] = place
            }
            change(&state.reports[place])
            return !hasReports.exchange(true, ordering: .acquiringAndReleasing)
        }
        if isFirst { onFirst() }
    }
}
