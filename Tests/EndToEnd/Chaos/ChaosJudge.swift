import StatexClient
import StatexProtocol

@testable import StatexStack

/// Compares the journal, once everything is over, with what the clients were told.
struct ChaosJudge {
    private let stack: TestStack
    private let acknowledged: [JobID: ChaosLoad.Acknowledged]

    init(_ stack: TestStack, _ load: ChaosLoad) {
        self.stack = stack
        acknowledged = load.acknowledged
    }

    func complaints() throws -> [String] { try [verify(), jobs(), finals(), echoes()].flatMap { $0 } }

    /// The program that judges journals by their rows alone.
    private func verify() throws -> [String] {
        let (end, said) = try stack.runVerify(allFinal: true)
        return end == .exited(0) ? [] : ["statex verify: \(end): \(said)"]
    }

    /// The journal has what was acknowledged, and nothing else: no client gave up a submit.
    private func jobs() throws -> [String] {
        let known = Set(acknowledged.flatMap { id, request in request.jobs.indices.map { id.rawValue + UInt64($0) } })
        let rows = Set(try stack.rows("SELECT id FROM statex.jobs").compactMap { UInt64($0[0]) })
        return known.subtracting(rows).sorted().map { "job \($0) was acknowledged and is missing" }
            + rows.subtracting(known).sorted().map { "job \($0) was acknowledged to nobody" }
    }

    /// Exactly one final outcome for each, of the state that its client heard.
    private func finals() throws -> [String] {
        var states: [UInt64: [String]] = [:]
        for row in try stack.rows("SELECT job, state FROM statex.outcomes WHERE final", columns: 2) {
            states[UInt64(row[0]) ?? 0, default: []].append(row[1])
        }
        return acknowledged.flatMap { id, request in
            request.jobs.indices.compactMap { index in
                let job = id.rawValue + UInt64(index)
                let heard = request.heard.map { $0[index].state.name } ?? "nothing"
                let recorded = states[job] ?? []
                return recorded == [heard] ? nil : "job \(job): its client heard \(heard), recorded are \(recorded)"
            }
        }
    }

    /// What an echo job gave back is recorded as it was sent.
    private func echoes() throws -> [String] {
        let differ = try stack.rows(
            """
            SELECT j.id FROM statex.jobs j JOIN statex.names n ON n.number = j.kind AND n.name = 'echo'
            JOIN statex.outcomes o ON o.page = j.id >> 12 AND o.job = j.id AND o.final AND o.state = 'succeeded'
            LEFT JOIN statex.results r ON r.job = j.id AND r.token = o.token
            WHERE coalesce(r.body, '') <> j.payload
            """)
        return differ.map { "job \($0[0]): its result is not its payload" }
    }
}

extension TestStack {
    /// What the journal saw of a run.
    var summary: String {
        get throws {
            let endings = try rows("SELECT ending, count(*) FROM statex.outcomes GROUP BY 1 ORDER BY 1", columns: 2)
            let epochs = try number("SELECT max(epoch) FROM statex.commits")
            let ends = endings.map { "\($0[1]) \($0[0])" }.joined(separator: ", ")
            return "\(try jobCount) jobs, \(epochs) epochs; attempts: \(ends)"
        }
    }
}
