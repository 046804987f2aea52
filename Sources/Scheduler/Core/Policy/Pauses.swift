import StatexProtocol

/// What operators hold back, and who did: a kind, a tenant, or everything. Three switches that know
/// nothing of each other: what was paused by itself is resumed by itself.
package struct Pauses: Sendable, Equatable {
    package enum Subject: Sendable, Equatable {
        case everything
        case kind(String)
        case tenant(String)
    }

    package private(set) var everything: String?
    private var kinds: [String: String] = [:]
    private var tenants: [String: String] = [:]

    package init() {}

    /// Who paused it, or nil.
    package subscript(subject: Subject) -> String? {
        get {
            switch subject {
            case .everything: everything
            case .kind(let name): kinds[name]
            case .tenant(let name): tenants[name]
            }
        }
        set {
            switch subject {
            case .everything: everything = newValue
            case .kind(let name): kinds[name] = newValue
            case .tenant(let name): tenants[name] = newValue
            }
        }
    }

    /// All of them, in a fixed order, for people.
    package var all: [(subject: Subject, by: String)] {
        (everything.map { [(.everything, $0)] } ?? [])
            + kinds.sorted { $0.key < $1.key }.map { (.kind($0.key), $0.value) }
            + tenants.sorted { $0.key < $1.key }.map { (.tenant($0.key), $0.value) }
    }
}

extension Pauses.Subject: CustomStringConvertible {
    /// What an order to pause names; `Order.check` let one filter through.
    init(_ filter: OrderFilter) {
        if let kind = filter.kind {
            self = .kind(kind)
        } else if let tenant = filter.tenant {
            self = .tenant(tenant)
        } else {
            self = .everything
        }
    }

    package var description: String {
        switch self {
        case .everything: "everything"
        case .kind(let name): "kind \(name)"
        case .tenant(let name): "tenant \(name)"
        }
    }
}
