import StatexProtocol
import StatexSchedulerCore

// What operators ordered, as it stands in the table of actions.

extension SimulatedJournal {
    /// What the journal knows that an order needs.
    func findings(for lookup: OrderLookup) -> OrderFindings {
        var findings = OrderFindings()
        findings.known =
            actions.last {
                $0.sender == lookup.sender && $0.reply?.number == lookup.order.number
            }?.reply
        return findings
    }

    /// What is paused, and by whom: for a new owner.
    var pauses: Pauses {
        var pauses = Pauses()
        for row in actions {
            guard let subject = Self.pauseSubject(of: row) else { continue }
            pauses[subject] = row.action == "pause" ? row.who : nil
        }
        return pauses
    }

    /// Of an order to pause or to resume.
    static func pauseSubject(of row: CommitBatch.ActionRow) -> Pauses.Subject? {
        guard row.action == "pause" || row.action == "resume", let filter = row.filter else { return nil }
        for kind in SimulationOptions.kinds where filter == "{\"kind\":\"\(kind)\"}" { return .kind(kind) }
        for number in 0..<3 where filter == "{\"tenant\":\"tenant \(number)\"}" { return .tenant("tenant \(number)") }
        return .everything
    }
}
