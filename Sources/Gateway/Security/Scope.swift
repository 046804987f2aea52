import StatexReads

/// What a token allows.
package enum Scope: String, Sendable, CaseIterable {
    /// To submit requests, and to cancel and retry one's own.
    case submit
    /// To look.
    case read
    /// To do what operators do.
    case operate
}

/// Who asks, as a verified token says.
struct Identity: Sendable, Equatable {
    let subject: String
    let scopes: Set<Scope>
    /// nil: it is of no tenant, and sees all of them.
    let tenant: String?

    var viewer: Viewer { tenant.map(Viewer.tenant) ?? .everything }

    /// For the audit trail.
    var name: String { "gateway:\(subject)" }
}
