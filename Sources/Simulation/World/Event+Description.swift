import StatexProtocol

extension Event: CustomStringConvertible {
    /// Messages by their type and size.
    var description: String {
        switch self {
        case .arrivedAtScheduler(let connection, let bytes): "\(connection) ↑ \(Self.name(bytes))"
        case .arrivedAtPeer(let connection, let bytes): "\(connection) ↓ \(Self.name(bytes))"
        case .closureSeen(let connection): "\(connection) closed"
        case .reconnect(let socket): "socket \(socket) connects again"
        case .schedulerTurn(let process): "scheduler \(process)"
        case .workerTurn(let process): "worker process \(process)"
        case .clientTurn(let client): "client \(client)"
        case .handlerEnded(let process, let lease): "worker process \(process): handler of row \(lease.row) ends"
        case .startScheduler(let start): "scheduler \(start) takes over"
        case .recover(let start): "scheduler \(start) serves"
        case .tryReached(let number): "try \(number) ends in the database"
        case .reconnectedToJournal(let process, let batch): "scheduler \(process) asks what became of commit \(batch)"
        case .commitAnswered(let process, let batch, let verdict):
            "scheduler \(process) hears of commit \(batch): \(verdict)"
        case .read(let process, _): "scheduler \(process) reads"
        case .readAnswered(let process, _): "scheduler \(process) has read"
        case .strike: "a fault strikes"
        case .faultsEnd: "faults end"
        case .look: "look"
        case .act(let what, _): "\(what)"
        }
    }

    private static func name(_ bytes: [UInt8]) -> String {
        guard let header = try? Header(reading: bytes.span.bytes) else { return "?" }
        return "\(header.type) of \(header.count), session \(header.session & 0xFFFF), \(bytes.count) bytes"
    }
}

extension SimulatedJournal.Commit: CustomStringConvertible {
    var description: String {
        var text = "commit \(head.batch) of scheduler \(owner), epoch \(head.epoch):"
        for row in jobs { text += " job \(row.id & 0xFFFF)" }
        for row in leases { text += " lease \(row.id & 0xFFFF)/\(row.token) to \(row.worker)" }
        for row in outcomes {
            text += " \(row.ending) \(row.id & 0xFFFF)/\(row.token)"
            if let final = row.final { text += " = \(final)" }
        }
        for row in names where row.family == .worker { text += " \(row.number) is \(row.name)" }
        for row in actions { text += " \(row.action) \(row.ids.map { $0 & 0xFFFF })" }
        return text
    }
}
