import FoundationEssentials
import StatexClient
import StatexEvents
import StatexProtocol
import StatexReads
import Synchronization

/// How requests and jobs stood when they were read, for as long as nothing was heard of them: many ask again and again
/// how the same one stands, and each look costs the journal as much as a hundred jobs do.
///
/// It remembers only while the hub listens, for then it hears of each change before anybody else here does. What no
/// event tells (a lease that was handed back, a job that waits no more) is seen after `GatewayLimits.statusAge`.
final class StatusMemory: Sendable {
    private struct State {
        /// Who hears what happens; nil: nobody.
        var hearing: Int?
        var hearings = 0
        var requests = Shelf<RequestRecord>()
        var jobs = Shelf<JobRows>()

        mutating func clear() {
            requests.clear()
            jobs.clear()
        }

        mutating func changed(_ type: EventType, _ id: JobID, of request: JobID) {
            requests.forget(request)
            if !type.isOfRequest { jobs.forget(id) }
        }
    }

    private let state = Mutex(State())

    // MARK: Asking

    /// One request with all of its jobs; nil: there is none that `viewer` sees.
    func request(_ id: JobID, for viewer: Viewer, from reads: ReadPool) async throws(Problem) -> RequestRecord? {
        if let known = state.withLock({ $0.requests.find(id, at: .now) }) {
            return viewer.sees(tenant: known.tenant) ? known : nil
        }
        let begun = ContinuousClock.now
        state.withLock { if $0.hearing != nil { $0.requests.begin(id) } }
        let found: RequestRecord?
        do throws(Problem) {
            found = try await reads.answer { reader throws(ReadError) in try reader.request(id, for: viewer) }
        } catch {
            state.withLock { $0.requests.end(id, nil) }
            throw error
        }
        let kept = found.flatMap { record in record.jobs.holds(since: begun).map { (record, $0, record.jobs.count) } }
        state.withLock { $0.requests.end(id, kept) }
        return found
    }

    /// One job with its attempts; nil: there is none that `viewer` sees.
    func job(_ id: JobID, for viewer: Viewer, from reads: ReadPool) async throws(Problem) -> JobRows? {
        if let known = state.withLock({ $0.jobs.find(id, at: .now) }) {
            return viewer.sees(tenant: known.tenant ?? "") ? known : nil
        }
        let begun = ContinuousClock.now
        state.withLock { if $0.hearing != nil { $0.jobs.begin(id) } }
        let found: JobRows?
        do throws(Problem) {
            found = try await reads.answer { reader throws(ReadError) in try reader.job(id, for: viewer) }
        } catch {
            state.withLock { $0.jobs.end(id, nil) }
            throw error
        }
        // That another job ended, for which it waits, is no event of its own.
        let kept = found.flatMap { rows in
            rows.states.contains(.blocked) ? nil : rows.holds(since: begun).map { (rows, $0, rows.count) }
        }
        state.withLock { $0.jobs.end(id, kept) }
        return found
    }

    // MARK: Hearing

    /// From now on everything is heard.
    /// - Returns: who hears it.
    func begin() -> Int {
        state.withLock { state in
            state.hearings += 1
            state.hearing = state.hearings
            return state.hearings
        }
    }

    /// From now on nothing is, unless somebody else began meanwhile.
    func end(_ hearing: Int) {
        state.withLock { state in
            guard state.hearing == hearing else { return }
            state.hearing = nil
            state.clear()
        }
    }

    /// Before anybody is told.
    func hear(_ news: EventFollower.News) {
        state.withLock { state in
            guard !state.requests.isEmpty || !state.jobs.isEmpty else { return }
            for packed in news.part?.packed ?? [] {
                let record = packed.record
                state.changed(record.type, JobID(rawValue: record.id), of: JobID(rawValue: record.request))
            }
            for item in news.others {
                switch item {
                case .event(let event): state.changed(event.type, event.id, of: event.request)
                case .gap, .journalChanged: state.clear()
                case .worker: break
                }
            }
        }
    }

    /// After an order that was given here: who asks next sees what came of it.
    func forgetAll() { state.withLock { $0.clear() } }
}

/// What was read and holds, and what is being read now.
struct Shelf<Value: Sendable>: Sendable {
    private struct Place {
        var value: Value?
        var holds: ContinuousClock.Instant = .now
        var rows = 0
        /// Reads that are under way, and whether something changed since one of them began.
        var readers = 0
        var hasChanged = false
    }

    private var places: [JobID: Place] = [:]
    private var rows = 0

    var isEmpty: Bool { places.isEmpty }

    func find(_ id: JobID, at now: ContinuousClock.Instant) -> Value? {
        guard let place = places[id], place.holds > now else { return nil }
        return place.value
    }

    mutating func begin(_ id: JobID) {
        if rows >= GatewayLimits.statusRows { clear() }
        places[id, default: Place()].readers += 1
    }

    /// - Parameter found: until when it holds, and how many rows it is; nil: it is not worth keeping.
    mutating func end(_ id: JobID, _ found: (Value, until: ContinuousClock.Instant, rows: Int)?) {
        // Nobody listened when it began.
        guard var place = places[id], place.readers > 0 else { return }
        place.readers -= 1
        drop(&place)
        if let found, !place.hasChanged {
            place.value = found.0
            place.holds = found.until
            place.rows = found.rows
            rows += found.rows
        }
        // Those who began before the change have it not; who comes after them reads anew.
        if place.readers == 0 { place.hasChanged = false }
        places[id] = place.value == nil && place.readers == 0 ? nil : place
    }

    mutating func forget(_ id: JobID) {
        guard var place = places[id] else { return }
        drop(&place)
        place.hasChanged = true
        places[id] = place.readers == 0 ? nil : place
    }

    mutating func clear() {
        places = places.compactMapValues { place in
            place.readers > 0 ? Place(readers: place.readers, hasChanged: true) : nil
        }
        rows = 0
    }

    private mutating func drop(_ place: inout Place) {
        rows -= place.rows
        place.value = nil
        place.rows = 0
    }
}

extension JobRows {
    fileprivate var count: Int { list.rows.count }

    /// Until when these rows say how the jobs stand, if nothing is heard of them; nil: they are not kept, being too many
    /// or dead letters, of whose retries no event tells.
    fileprivate func holds(since read: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard count <= GatewayLimits.statusRowsOfRequest, !states.contains(.failed), !states.contains(.dead) else {
            return nil
        }
        // Of what is final, or waits for its time, each change is an event.
        let isSettled = states.allSatisfy { $0.isFinal || $0 == .delayed }
        let age = isSettled ? GatewayLimits.settledAge : GatewayLimits.statusAge
        let due = dueTimes.compactMap { Timestamp($0)?.date }.min()
        return read + (due.map { min(.seconds($0.timeIntervalSinceNow), age) } ?? age)
    }
}
