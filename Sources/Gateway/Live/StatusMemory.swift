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
        /// Of jobs that wait for their time.
        var reasons = Shelf<Explanation>()
        var sweptAt = ContinuousClock.now

        mutating func clear() {
            requests.clear()
            jobs.clear()
            reasons.clear()
        }

        /// What holds no more is let go of now and then: nobody may ask for it again.
        mutating func sweep(at now: ContinuousClock.Instant) {
            guard now - sweptAt >= GatewayLimits.settledAge else { return }
            sweptAt = now
            requests.sweep(at: now)
            jobs.sweep(at: now)
            reasons.sweep(at: now)
        }

        mutating func changed(_ type: EventType, _ id: JobID, of request: JobID) {
            requests.forget(request)
            guard !type.isOfRequest else { return }
            jobs.forget(id)
            reasons.forget(id)
        }
    }

    private let state = Mutex(State())

    // MARK: Asking

    /// One request with all of its jobs; nil: there is none that `viewer` sees.
    func request(_ id: JobID, for viewer: Viewer, from reads: ReadPool) async throws(Problem) -> RequestRecord? {
        let found = try await look(for: id, on: \.requests, rows: \.jobs) { () throws(Problem) in
            try await reads.answer { reader throws(ReadError) in try reader.request(id, for: viewer) }
        } keeping: { state, record, now in
            for job in record.looks { job.id.map { state.jobs.put($0, job.lasting(since: now)) } }
        }
        return found.flatMap { viewer.sees(tenant: $0.tenant) ? $0 : nil }
    }

    /// One job with its attempts; nil: there is none that `viewer` sees.
    func job(_ id: JobID, for viewer: Viewer, from reads: ReadPool) async throws(Problem) -> JobRows? {
        let found = try await look(for: id, on: \.jobs, rows: \.self) { () throws(Problem) in
            try await reads.answer { reader throws(ReadError) in try reader.job(id, for: viewer) }
        }
        return found.flatMap { viewer.sees(tenant: $0.tenant ?? "") ? $0 : nil }
    }

    /// What is on the shelf, or else what `read` finds, which is then there for as long as it holds.
    /// - Parameter keeping: keeps what else was found, of which nothing was heard meanwhile either.
    private func look<Value: Sendable>(
        for id: JobID, on shelf: WritableKeyPath<State, Shelf<Value>>, rows: KeyPath<Value, JobRows>,
        read: () async throws(Problem) -> Value?,
        keeping: (inout State, Value, ContinuousClock.Instant) -> Void = { _, _, _ in }
    ) async throws(Problem) -> Value? {
        let now = ContinuousClock.now
        let (known, isHeard) = state.withLock { state -> (Value?, Bool) in
            if let known = state[keyPath: shelf].find(id, at: now) { return (known, false) }
            state.sweep(at: now)
            guard state.hearing != nil else { return (nil, false) }
            state[keyPath: shelf].begin(id)
            return (nil, true)
        }
        if let known { return known }
        let found: Value?
        do throws(Problem) { found = try await read() } catch {
            if isHeard { state.withLock { _ = $0[keyPath: shelf].end(id, nil) } }
            throw error
        }
        guard isHeard else { return found }
        let kept = found.flatMap { found in
            found[keyPath: rows].holds(since: now).map { (found, until: $0, rows: found[keyPath: rows].count) }
        }
        state.withLock { state in
            let hasHeld = state[keyPath: shelf].end(id, kept)
            if hasHeld, let found { keeping(&state, found, now) }
        }
        return found
    }

    /// Why jobs wait: what is remembered, and of the others what `ask` says. That a job waits for its time is so until
    /// then, whatever else happens; all else is asked for each time.
    func reasons(
        of ids: [JobID], ask: ([JobID]) async -> [JobID: Explanation]
    ) async -> [JobID: Explanation] {
        let now = ContinuousClock.now
        let (known, unknown, isHeard) = state.withLock { state in
            let known = ids.map { ($0, state.reasons.find($0, at: now)) }
            let unknown = known.filter { $0.1 == nil }.map(\.0)
            if state.hearing != nil { unknown.forEach { state.reasons.begin($0) } }
            return (known, unknown, state.hearing != nil)
        }
        var all = Dictionary(known.compactMap { id, reason in reason.map { (id, $0) } }) { $1 }
        guard !unknown.isEmpty else { return all }
        let told = await ask(unknown)
        if isHeard {
            state.withLock { state in
                for id in unknown {
                    let kept = told[id].flatMap { reason in reason.holds(since: now).map { (reason, $0, 1) } }
                    state.reasons.end(id, kept)
                }
            }
        }
        all.merge(told) { $1 }
        return all
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
            guard !state.requests.isEmpty || !state.jobs.isEmpty || !state.reasons.isEmpty else { return }
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
    typealias Found = (Value, until: ContinuousClock.Instant, rows: Int)

    private struct Place {
        var value: Value?
        var holds: ContinuousClock.Instant = .now
        var rows = 0
        /// Reads that are under way, and whether something changed since one of them began.
        var readers = 0
        var hasChanged = false
    }

    private var places: [JobID: Place] = [:]
    private var filter = IDFilter()
    private var rows = 0

    var isEmpty: Bool { places.isEmpty }

    func find(_ id: JobID, at now: ContinuousClock.Instant) -> Value? {
        guard let place = places[id], place.holds > now else { return nil }
        return place.value
    }

    mutating func begin(_ id: JobID) {
        if rows >= GatewayLimits.statusRows { clear() }
        places[id, default: Place()].readers += 1
        filter.add(id)
    }

    /// - Parameter found: until when it holds, and how many rows it is; nil: it is not worth keeping.
    /// - Returns: whether nothing changed since one who reads it now began.
    @discardableResult
    mutating func end(_ id: JobID, _ found: Found?) -> Bool {
        guard var place = places[id], place.readers > 0 else { return false }
        place.readers -= 1
        drop(&place)
        let hasHeld = !place.hasChanged
        if let found, hasHeld { keep(found, in: &place) }
        // Those who began before the change have it not; who comes after them reads anew.
        if place.readers == 0 { place.hasChanged = false }
        places[id] = place.value == nil && place.readers == 0 ? nil : place
        return hasHeld
    }

    /// Keeps what was found with something else, of which nothing was heard meanwhile. Who reads it now finds the same.
    mutating func put(_ id: JobID, _ found: Found?) {
        guard let found, rows < GatewayLimits.statusRows else { return }
        var place = places[id] ?? Place()
        drop(&place)
        keep(found, in: &place)
        places[id] = place
        filter.add(id)
    }

    private mutating func keep(_ found: Found, in place: inout Place) {
        place.value = found.0
        place.holds = found.until
        place.rows = found.rows
        rows += found.rows
    }

    mutating func forget(_ id: JobID) {
        guard filter.mayHave(id), var place = places[id] else { return }
        drop(&place)
        place.hasChanged = true
        places[id] = place.readers == 0 ? nil : place
    }

    mutating func clear() {
        places = places.compactMapValues { place in
            place.readers > 0 ? Place(readers: place.readers, hasChanged: true) : nil
        }
        filter.replace(with: places.keys)
        rows = 0
    }

    /// Lets go of what holds no more.
    mutating func sweep(at now: ContinuousClock.Instant) {
        for (id, place) in places where place.readers == 0 && place.holds <= now {
            rows -= place.rows
            places[id] = nil
        }
        filter.replace(with: places.keys)
    }

    private mutating func drop(_ place: inout Place) {
        rows -= place.rows
        place.value = nil
        place.rows = 0
    }
}

extension JobRows {
    fileprivate var count: Int { list.rows.count }

    /// Of one job, if it is kept.
    fileprivate func lasting(since read: ContinuousClock.Instant) -> Shelf<JobRows>.Found? {
        holds(since: read).map { (self, until: $0, rows: count) }
    }

    /// Until when these rows say how the jobs stand, if nothing is heard of them; nil: they are not kept, being too many
    /// or dead letters, of whose retries no event tells.
    fileprivate func holds(since read: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard count <= GatewayLimits.statusRowsOfRequest, !states.contains(.failed), !states.contains(.dead) else {
            return nil
        }
        // That another job ended, for which one waits, is no event of its own.
        guard count > 1 || !states.contains(.blocked) else { return nil }
        // Of what is final, or waits for its time, each change is an event.
        let isSettled = states.allSatisfy { $0.isFinal || $0 == .delayed }
        let age = isSettled ? GatewayLimits.settledAge : GatewayLimits.statusAge
        let due = dueTimes.compactMap { Timestamp($0)?.date }.min()
        return read + (due.map { min(.seconds($0.timeIntervalSinceNow), age) } ?? age)
    }
}

extension Explanation {
    /// Until when this is why the job waits, if nothing is heard of it; nil: it may be something else at any time.
    fileprivate func holds(since asked: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard reason == .notDue, until > 0 else { return nil }
        let left = Date(timeIntervalSince1970: Double(until) / 1e6).timeIntervalSinceNow
        return asked + min(.seconds(left), GatewayLimits.settledAge)
    }
}
