/// Keeps a kind from a worker that fails all of it while other workers succeed with it: a broken disk, a
/// missing model, an old version.
///
/// One circuit for each kind that failed in the worker since its last success there: nearly always none.
package struct Quarantine: Sendable {
    private struct Entry: Sendable {
        var kind: Int32
        var circuit: Circuit
        /// How often the kind had succeeded anywhere when the row of failures began.
        var successesBefore: UInt64
    }
    private var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    package func state(of kind: Int32, at time: Int64) -> Circuit.State {
        circuit(of: kind)?.state(at: time) ?? .closed
    }

    /// Whether the worker may have a job of the kind now.
    @inline(__always)
    package func mayTake(_ kind: Int32, at time: Int64) -> Bool {
        entries.isEmpty || circuit(of: kind)?.mayStart(at: time) ?? true
    }

    package func isClosed(for kind: Int32) -> Bool { circuit(of: kind)?.isClosed ?? true }

    /// Kinds that it does not get as usual, for status.
    package var kinds: [Int32] { entries.filter { !$0.circuit.isClosed }.map(\.kind) }

    private func circuit(of kind: Int32) -> Circuit? { entries.first { $0.kind == kind }?.circuit }

    package mutating func started(_ job: UInt64, of kind: Int32) {
        guard let index = entries.firstIndex(where: { $0.kind == kind }) else { return }
        entries[index].circuit.started(job)
    }

    package mutating func succeeded(_ kind: Int32) { entries.removeAll { $0.kind == kind } }

    /// - Parameter successes: how often the kind succeeded so far, anywhere.
    /// - Returns: when the next probe is due, if that is news.
    package mutating func failed(
        _ job: UInt64, of kind: Int32, successes: UInt64, settings: Circuit.Settings, at time: Int64
    ) -> Int64? {
        let index: Int
        if let known = entries.firstIndex(where: { $0.kind == kind }) {
            index = known
            entries[index].circuit.change(to: settings)
        } else {
            index = entries.count
            entries.append(Entry(kind: kind, circuit: Circuit(settings), successesBefore: successes))
        }
        // As many successes elsewhere as failures here: else the kind may be failing everywhere.
        let elsewhere = successes - entries[index].successesBefore
        return entries[index].circuit.failed(job, mayOpen: elsewhere >= UInt64(settings.failures), at: time)
    }

    package mutating func ended(_ job: UInt64, of kind: Int32) {
        guard let index = entries.firstIndex(where: { $0.kind == kind }) else { return }
        entries[index].circuit.ended(job)
    }
}
