import StatexProtocol

/// Cancels, operators' orders and questions about the scheduler itself, until they are answered. Asked
/// again, each does what it did the first time.
struct Orders {
    private struct Key: Hashable, Comparable {
        let id: UInt64
        let isRequest: Bool

        static func < (left: Key, right: Key) -> Bool {
            (left.id, left.isRequest ? 1 : 0) < (right.id, right.isRequest ? 1 : 0)
        }
    }

    private typealias Asker = (ticket: Ticket, deadline: Int64)

    private var cancels: [Key: [Asker]] = [:]
    private var statuses: [Asker] = []
    private var orders: [UInt64: (order: Order, asker: Asker)] = [:]
    private var ordersToSend: [Order] = []
    private var explains: [UInt64: [Asker]] = [:]
    private var explainsToSend: [JobID] = []
    private var cancelsToSend: [CancelRecord] = []
    private var isStatusToSend = false

    mutating func cancel(_ id: JobID, isRequest: Bool, ticket: Ticket, deadline: Int64) {
        cancels[Key(id: id.rawValue, isRequest: isRequest), default: []].append((ticket, deadline))
        cancelsToSend.append(CancelRecord(id, isRequest: isRequest))
    }

    mutating func order(_ order: Order, ticket: Ticket, deadline: Int64) {
        orders[order.number] = (order, (ticket, deadline))
        ordersToSend.append(order)
    }

    mutating func status(ticket: Ticket, deadline: Int64) {
        if statuses.isEmpty { isStatusToSend = true }
        statuses.append((ticket, deadline))
    }

    mutating func explain(_ id: JobID, ticket: Ticket, deadline: Int64) {
        // Who asks while it is asked hears the same answer.
        if explains[id.rawValue] == nil { explainsToSend.append(id) }
        explains[id.rawValue, default: []].append((ticket, deadline))
    }

    mutating func takeToSend() -> (
        cancels: [CancelRecord], orders: [Order], status: Bool, explains: [JobID]
    ) {
        defer {
            cancelsToSend = []
            ordersToSend = []
            explainsToSend = []
            isStatusToSend = false
        }
        return (cancelsToSend, ordersToSend, isStatusToSend, explainsToSend)
    }

    mutating func sendAllAgain() {
        cancelsToSend = cancels.keys.sorted().map { CancelRecord(JobID(rawValue: $0.id), isRequest: $0.isRequest) }
        ordersToSend = orders.values.map(\.order).sorted { $0.number < $1.number }
        isStatusToSend = !statuses.isEmpty
        explainsToSend = explains.keys.sorted().map { JobID(rawValue: $0) }
    }

    mutating func cancelled(_ record: CancelRecord, into completions: inout [Completion]) {
        guard let askers = cancels.removeValue(forKey: Key(id: record.id.rawValue, isRequest: record.isRequest)) else {
            return
        }
        for asker in askers { completions.append((asker.ticket, .cancelled(Int(record.jobs)))) }
    }

    mutating func replied(_ reply: OrderReply, into completions: inout [Completion]) {
        guard let asked = orders.removeValue(forKey: reply.number) else { return }
        completions.append((asked.asker.ticket, .ordered(reply)))
    }

    mutating func statusCame(_ json: String, into completions: inout [Completion]) {
        for asker in statuses { completions.append((asker.ticket, .schedulerStatus(json))) }
        statuses = []
    }

    mutating func explained(_ explanation: Explanation, into completions: inout [Completion]) {
        for asker in explains.removeValue(forKey: explanation.id.rawValue) ?? [] {
            completions.append((asker.ticket, .explained(explanation)))
        }
    }

    mutating func drop(where isDropped: (_ ticket: Ticket, _ deadline: Int64) -> Bool) {
        for key in Array(cancels.keys) {
            cancels[key]?.removeAll { isDropped($0.ticket, $0.deadline) }
            if cancels[key]?.isEmpty ?? false { cancels[key] = nil }
        }
        for number in Array(orders.keys) {
            guard let asker = orders[number]?.asker, isDropped(asker.ticket, asker.deadline) else { continue }
            orders[number] = nil
        }
        statuses.removeAll { isDropped($0.ticket, $0.deadline) }
        for id in Array(explains.keys) {
            explains[id]?.removeAll { isDropped($0.ticket, $0.deadline) }
            if explains[id]?.isEmpty ?? false { explains[id] = nil }
        }
    }
}
