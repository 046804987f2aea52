import StatexProtocol
import StatexSchedulerCore

/// What the journal's rows say that was to be told of each commit, found out in another way than the core does it.
final class EventOracle {
    private struct Lease {
        var attempt: UInt16
        var worker: String
    }

    private unowned let journal: SimulatedJournal
    /// By token.
    private var leases: [UInt64: Lease] = [:]

    init(_ journal: SimulatedJournal) { self.journal = journal }

    func note(_ commit: SimulatedJournal.Commit) {
        for row in commit.leases { leases[row.token] = Lease(attempt: row.attempt, worker: name(row.worker)) }
    }

    /// The journal is another one.
    func noteAll() {
        leases = [:]
        for commit in journal.commits { note(commit) }
    }

    private func name(_ number: UInt32) -> String {
        journal.names.first { $0.number == number }?.name ?? "name \(number)"
    }

    func events(of commit: SimulatedJournal.Commit) -> [SimulatedEvent] {
        var found: [(place: [UInt64], event: SimulatedEvent)] = []
        for row in commit.jobs where JobOpts.index(row.opts) == 0 {
            guard let history = journal.histories[row.id], history.retryOf == nil else { continue }
            found.append(([row.id, 0], ofRequest(.requestCreated, row.id, history)))
        }
        for row in commit.leases {
            found.append(([row.id, 1, row.token, 0], ofJob(.jobLeased, row.id, token: row.token)))
        }
        for row in commit.outcomes {
            let place = [row.id, 1, row.token == 0 ? .max : row.token, 1]
            if let final = row.final, let type = EventType(final: final) {
                found.append((place, ofJob(type, row.id, token: row.token)))
                if let (request, last, type) = requestEnded(by: row.id, in: commit.head.batch) {
                    // Of several jobs that end together, one tells it.
                    if !found.contains(where: { $0.place == [last, 2] }), let history = journal.histories[request] {
                        found.append(([last, 2], ofRequest(type, request, history)))
                    }
                }
            } else if row.ending == .failed || row.ending == .lost {
                found.append((place, ofJob(.jobRetried, row.id, token: row.token)))
            }
        }
        return found.sorted { $0.place.lexicographicallyPrecedes($1.place) }.map(\.event)
    }

    /// - Returns: the request, its last job, and how it ended, if it did with this commit.
    private func requestEnded(by job: UInt64, in batch: UInt64) -> (UInt64, UInt64, EventType)? {
        guard let history = journal.histories[job], history.retryOf == nil else { return nil }
        let request = job - UInt64(JobOpts.index(history.row.opts))
        let ids = request..<request + UInt64(JobOpts.count(history.row.opts))
        let ends = ids.map { id in
            journal.histories[id]?.outcomes.first { $0.final != nil }?.batch ?? .max
        }
        guard ends.max() == batch else { return nil }
        return (request, ids.upperBound - 1, end(of: request, history))
    }

    private func ofRequest(
        _ type: EventType, _ id: UInt64, _ history: SimulatedJournal.History
    ) -> SimulatedEvent {
        SimulatedEvent(
            type: type, id: id, request: id, kind: name(history.row.kind), tenant: name(history.row.tenant), worker: "",
            number: JobOpts.count(history.row.opts))
    }

    private func ofJob(_ type: EventType, _ id: UInt64, token: UInt64) -> SimulatedEvent {
        let history = journal.histories[id]
        let request = history?.retryOf?.request ?? id - UInt64(JobOpts.index(history?.row.opts ?? 0))
        return SimulatedEvent(
            type: type, id: id, request: request, kind: name(history?.row.kind ?? 0),
            tenant: name(history?.row.tenant ?? 0), worker: leases[token]?.worker ?? "",
            number: leases[token]?.attempt ?? 0)
    }

    func end(of request: UInt64, _ history: SimulatedJournal.History) -> EventType {
        let finals = (0..<UInt64(JobOpts.count(history.row.opts))).map { journal.histories[request + $0]?.final }
        if finals.contains(where: { [.failed, .dead, .expired].contains($0) }) { return .requestFailed }
        return finals.contains(.cancelled) ? .requestCancelled : .requestCompleted
    }
}

/// An event as anybody would read it.
struct SimulatedEvent: Hashable {
    var type: EventType
    var id: UInt64
    var request: UInt64
    var kind: String
    var tenant: String
    var worker: String
    var number: UInt16
}
