import StatexProtocol

@testable import StatexSchedulerCore

extension TestScheduler {
    /// Gives an order and lets the journal answer at once with what the test says it knows.
    func order(_ order: Order, client: UInt32, _ findings: OrderFindings = OrderFindings()) {
        _ = core.ordered(order, client: client, into: &out)
        readOrders(findings)
    }

    func readOrders(_ findings: OrderFindings = OrderFindings()) {
        for _ in takeLookups() { core.orderRead(findings, at: now, into: &out) }
        core.validate()
    }

    func takeLookups() -> [OrderLookup] {
        defer { out.orderLookups.removeAll() }
        return out.orderLookups
    }

    /// Answers that left since the last call.
    func replies() -> [OrderReply] {
        defer { out.ordered.removeAll() }
        return out.ordered.map(\.reply)
    }

    func revoked() -> [TokenRecord] {
        defer { out.revoked.removeAll() }
        return out.revoked.map(\.record)
    }
}

extension Order {
    static func pause(_ number: UInt64, kind: String? = nil, tenant: String? = nil) -> Order {
        var order = Order(.pause, number: number, who: "mira")
        order.filter.kind = kind
        order.filter.tenant = tenant
        order.filter.everything = kind == nil && tenant == nil
        return order
    }

    static func resume(_ number: UInt64, kind: String? = nil, tenant: String? = nil) -> Order {
        var order = pause(number, kind: kind, tenant: tenant)
        order.action = .resume
        return order
    }

    static func cancel(_ number: UInt64, _ change: (inout OrderFilter) -> Void) -> Order {
        var order = Order(.cancel, number: number, who: "mira")
        change(&order.filter)
        return order
    }

    static func retry(_ number: UInt64, _ ids: UInt64...) -> Order {
        var order = Order(.retry, number: number, who: "mira")
        order.filter.jobs = ids.map { JobID(rawValue: $0) }
        return order
    }
}
