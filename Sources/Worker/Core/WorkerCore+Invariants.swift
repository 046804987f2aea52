extension WorkerCore {
    /// Checks that every count agrees with the table. Tests and the simulator call it after each event.
    package func validate() {
        var (waiting, running, kept, stuck, owned) = (0, 0, 0, 0, 0)
        var (waitingBytes, keptBytes) = (0, 0)
        for (index, row) in table.rows.enumerated() {
            switch row.state {
            case .free:
                precondition(table.bodies[index].isEmpty, "a free row keeps a body")
                continue
            case .waiting:
                waiting += 1
                waitingBytes += Int(row.contentLength)
            case .running:
                running += 1
                if row.stop == .revoked { stuck += 1 }
            case .ended:
                kept += 1
                keptBytes += table.bodies[index].count
                precondition(row.stop != .revoked, "a revoked lease keeps an outcome")
            }
            let found = table.index.find(row.counter, row.incarnation)
            if row.stop == .revoked {
                precondition(found != index, "a revoked lease is still found by its token")
            } else {
                precondition(found == index, "a lease is not found by its token")
                owned += 1
            }
        }
        precondition(waiting == self.waiting && running == self.running && kept == self.kept, "a count is wrong")
        precondition(waitingBytes == self.waitingBytes && keptBytes == self.keptBytes, "a sum of bytes is wrong")
        precondition(stuck == self.stuck, "the count of stuck slots is wrong")
        precondition(owned == table.index.count, "the index holds a token without a lease")
        precondition(waiting + running + kept == table.used, "a row is lost")
    }
}
