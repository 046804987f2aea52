import StatexProtocol

/// The streams of everything, by the names that they are of. Those of the same names are thinned out together: what an
/// event costs does not grow with how many look on.
struct SharedStreams {
    struct Names: Hashable {
        var tenant: String?
        var kind: String?
    }

    fileprivate struct Shared {
        let names: Names
        var sampler = Sampler(limit: GatewayLimits.streamEventsPerSecond)
        var listeners: [Listener] = []
    }

    /// nil: free.
    private var all: [Shared?] = []
    private var places: [Names: Int] = [:]

    mutating func add(_ listener: Listener, of names: Names) {
        let place = places[names] ?? makeRoom(names)
        if let shared = all[place], shared.sampler.share > 1 { listener.box.put(shared.notice) }
        all[place]?.listeners.append(listener)
    }

    private mutating func makeRoom(_ names: Names) -> Int {
        let place = all.firstIndex { $0 == nil } ?? all.count
        if place == all.count { all.append(nil) }
        all[place] = Shared(names: names)
        places[names] = place
        return place
    }

    /// - Returns: whether it was there.
    mutating func remove(_ listener: Listener, of names: Names) -> Bool {
        guard let place = places[names], let index = all[place]?.listeners.firstIndex(where: { $0 === listener }) else {
            return false
        }
        all[place]?.listeners.remove(at: index)
        if all[place]?.listeners.isEmpty ?? false {
            all[place] = nil
            places[names] = nil
        }
        return true
    }

    /// Where those are whom events of these names concern.
    func places(tenant: String, kind: String) -> [Int] {
        guard !places.isEmpty else { return [] }
        let names = [
            Names(tenant: nil, kind: nil), Names(tenant: tenant, kind: nil), Names(tenant: nil, kind: kind),
            Names(tenant: tenant, kind: kind),
        ]
        return names.compactMap { places[$0] }
    }

    /// Counts an event of a request, and says so where the share of what is shown changes with it.
    /// - Returns: those who are shown it.
    @inline(__always)
    mutating func admit(_ request: JobID, at place: Int, second: Int64) -> [Listener] {
        guard let answer = all[place]?.sampler.admit(request, at: second) else { return [] }
        if answer.hasChanged, let shared = all[place] {
            let notice = shared.notice
            for listener in shared.listeners { listener.box.put(notice) }
        }
        return answer.isShown ? all[place]?.listeners ?? [] : []
    }

    func forEach(_ body: (Listener) -> Void) {
        for shared in all { shared?.listeners.forEach(body) }
    }
}

extension SharedStreams.Shared {
    fileprivate var notice: [UInt8] { ServerSentEvent.sampled(oneIn: sampler.share, above: sampler.limit) }
}
