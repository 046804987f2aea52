/// Who looks: every read of this room takes one, and shows nothing that it may not see.
package enum Viewer: Sendable, Equatable {
    /// Operators, and the command line.
    case everything
    /// A tenant's own requests and jobs; what is others' does not exist for it.
    case tenant(String)

    package func sees(tenant: String) -> Bool {
        switch self {
        case .everything: true
        case .tenant(let own): own == tenant
        }
    }

    /// The only tenant that it sees; nil: all of them.
    var tenant: String? {
        switch self {
        case .everything: nil
        case .tenant(let own): own
        }
    }

    /// The tenant that a list is narrowed to when `wanted` was asked for.
    func narrowed(to wanted: String?) -> Narrowing {
        switch self {
        case .everything: wanted.map(Narrowing.one) ?? .all
        case .tenant(let own): wanted == nil || wanted == own ? .one(own) : .nothing
        }
    }

    enum Narrowing {
        case all
        case one(String)
        /// Somebody else's.
        case nothing
    }
}
