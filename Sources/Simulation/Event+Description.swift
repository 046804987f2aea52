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
        case .workerTurn(let place, let process): "worker \(place), process \(process)"
        case .clientTurn(let client): "client \(client)"
        case .handlerEnded(let place, _, let lease): "worker \(place): handler of row \(lease.row) ends"
        case .startScheduler(let start): "scheduler \(start) takes over"
        case .recover(let start): "scheduler \(start) serves"
        case .startWorker(let place): "worker \(place) starts"
        case .killWorker(let place, let process): "worker \(place), process \(process), is killed by its job"
        case .tryReached(let number): "try \(number) ends in the database"
        case .reconnectedToJournal(let process, let batch): "scheduler \(process) asks what became of commit \(batch)"
        case .commitAnswered(let process, let batch, let verdict):
            "scheduler \(process) hears of commit \(batch): \(verdict)"
        case .read(let process, _): "scheduler \(process) reads"
        case .readAnswered(let process, _): "scheduler \(process) has read"
        case .strike: "a fault strikes"
        case .faultsEnd: "faults end"
        case .look: "look"
        case .journalUp: "the database is up"
        case .resumeScheduler(let process): "scheduler \(process) goes on"
        case .resumeWorker(let place, let process): "worker \(place), process \(process), goes on"
        case .unclog(let connection): "\(connection) is unclogged"
        }
    }

    private static func name(_ bytes: [UInt8]) -> String {
        guard let header = try? Header(reading: bytes.span.bytes) else { return "?" }
        return "\(header.type) of \(header.count), session \(header.session & 0xFFFF), \(bytes.count) bytes"
    }
}
