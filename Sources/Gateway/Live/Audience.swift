import StatexClient
import StatexProtocol

/// The listeners of a hub, so that an event finds those whom it concerns without asking all.
struct Audience {
    private var ofRequests: [JobID: [Listener]] = [:]
    private var ofTenants: [String: [Listener]] = [:]
    private var ofAll: [Listener] = []
    private(set) var count = 0

    mutating func add(_ listener: Listener) {
        change(listener.interest) { $0.append(listener) }
        count += 1
    }

    mutating func remove(_ listener: Listener) {
        var isFound = false
        change(listener.interest) { listeners in
            guard let index = listeners.firstIndex(where: { $0 === listener }) else { return }
            listeners.remove(at: index)
            isFound = true
        }
        if isFound { count -= 1 }
    }

    /// The list that a listener of this interest is in; an empty one is forgotten.
    private mutating func change(_ interest: Interest, _ body: (inout [Listener]) -> Void) {
        switch interest {
        case .request(let id), .job(_, let id):
            body(&ofRequests[id, default: []])
            if ofRequests[id]?.isEmpty ?? false { ofRequests[id] = nil }
        case .everything(let tenant?, _, _):
            body(&ofTenants[tenant, default: []])
            if ofTenants[tenant]?.isEmpty ?? false { ofTenants[tenant] = nil }
        case .everything(nil, _, _): body(&ofAll)
        }
    }

    /// Those whom an event may concern.
    func forEach(of event: JobEvent, _ body: (Listener) -> Void) {
        for listener in ofRequests[event.request] ?? [] { body(listener) }
        for listener in ofTenants[event.tenant] ?? [] { body(listener) }
        for listener in ofAll { body(listener) }
    }

    /// Those who see workers.
    func forEachWithWorkers(_ body: (Listener) -> Void) {
        for listener in ofAll {
            if case .everything(_, nil, true) = listener.interest { body(listener) }
        }
    }

    func forEach(_ body: (Listener) -> Void) {
        for listener in ofRequests.values.joined() { body(listener) }
        for listener in ofTenants.values.joined() { body(listener) }
        for listener in ofAll { body(listener) }
    }
}
