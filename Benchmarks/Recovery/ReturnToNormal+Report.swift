import StatexProtocol

extension ReturnToNormal {
    package struct Report: Sendable {
        package var phases: [PhaseReport] = []

        /// Nothing is lost or doubled, and everything was normal within what it is given.
        package var isGood: Bool {
            phases.allSatisfy {
                $0.missing == 0 && $0.doubled == 0 && $0.all.ratio >= Recovery.normalShare
                    && ($0.seconds ?? .infinity) <= Double(Recovery.patience)
            }
        }

        package var json: JSONText {
            var text = JSONText()
            text.object { json in
                // Not a number in JSON: null, for what was not normal at the end.
                json.member("recovered_in_seconds", phases.map { $0.seconds ?? .infinity }.max() ?? .infinity)
                json.member("missing", phases.map(\.missing).reduce(0, +))
                json.member("doubled", phases.map(\.doubled).reduce(0, +))
                for phase in phases { json.object(phase.phase.rawValue) { phase.write(to: &$0) } }
            }
            return text
        }

        /// For people.
        package var lines: [String] { phases.flatMap(\.lines) }
    }

    /// What one fault did.
    package struct PhaseReport: Sendable {
        let phase: Phase
        var sent = SteadyLoad.Sent()
        var missing = 0
        var doubled = 0
        /// Of all jobs, and of each kind.
        var all = Recovery()
        var kinds: [(name: String, recovery: Recovery)] = []
        /// Of seconds before and after the end of the fault: how many jobs ended in each.
        var series: [(second: Int, ended: Int, byKind: [Int])] = []
        /// From the end of the fault until a submit of a service that does not wait was acknowledged.
        var admittedSeconds: Double?
        /// From the order to start Postgres until it took connections.
        var journalReadySeconds: Double?
        /// Of all storms: until each connection was welcome.
        var slowestWelcome: Double?

        /// Of whatever took longest.
        package var seconds: Double? {
            let each = ([all] + kinds.map(\.recovery)).map(\.seconds) + [admittedSeconds]
            return each.contains(nil) ? nil : each.compactMap { $0 }.max()
        }

        mutating func measure(
            _ ends: [String: EndSeries], kinds names: [String], from start: Int64, fault: Range<Int64>, until end: Int64
        ) {
            let each = names.map { ends[$0] ?? EndSeries() }
            all = Recovery(EndSeries(sumOf: each), from: start, fault: fault, until: end)
            kinds = zip(names, each).map { ($0, Recovery($1, from: start, fault: fault, until: end)) }
            let second: Int64 = 1_000_000
            let first = -((fault.upperBound - start) / second)
            series = (first..<(end - fault.upperBound) / second).map { number in
                let from = fault.upperBound + number * second
                let counts = each.map { $0.count(from..<from + second) }
                return (Int(number), counts.reduce(0, +), counts)
            }
        }
    }
}

extension ReturnToNormal.Phase {
    var words: String {
        switch self {
        case .failingKind: "a kind that fails"
        case .journalStopped: "the journal stopped"
        case .reconnectStorm: "a reconnect storm"
        }
    }
}

extension ReturnToNormal.PhaseReport {
    fileprivate func write(to json: inout JSONText) {
        json.member("throughput_before", all.before.rounded())
        json.member("throughput_during", all.during.rounded())
        json.member("throughput_after", all.after.rounded())
        json.member("ratio_after", all.ratio)
        json.member("recovered_in_seconds", seconds ?? .infinity)
        json.member("missing", missing)
        json.member("doubled", doubled)
        json.member("acknowledged", sent.acknowledged)
        json.member("dead", sent.finals.dead)
        json.member("admitted_in_seconds", admittedSeconds ?? .infinity)
        if let journalReadySeconds { json.member("journal_ready_seconds", journalReadySeconds) }
        if let slowestWelcome { json.member("slowest_welcome_seconds", slowestWelcome) }
        json.array("kinds", kinds) { kind, json in
            json.member("kind", kind.name)
            json.member("throughput_before", kind.recovery.before.rounded())
            json.member("throughput_during", kind.recovery.during.rounded())
            json.member("throughput_after", kind.recovery.after.rounded())
            json.member("ratio_during", kind.recovery.before > 0 ? kind.recovery.during / kind.recovery.before : 0)
            json.member("ratio_after", kind.recovery.ratio)
            json.member("recovered_in_seconds", kind.recovery.seconds ?? .infinity)
        }
        json.array("series", series) { entry, json in
            json.member("second", entry.second)
            for (kind, count) in zip(kinds, entry.byKind) { json.member(kind.name, count) }
        }
    }

    fileprivate var lines: [String] {
        let back = seconds.map { "normal again after \($0) s" } ?? "NOT normal at the end"
        var lines = [
            "\(phase.words): \(back)",
            "    \(whole(all.before)) jobs/s before, \(whole(all.during)) during, \(whole(all.after)) after it; "
                + "\(missing) missing, \(doubled) doubled, \(sent.finals.dead) dead",
        ]
        let width = kinds.map(\.name.count).max() ?? 0
        for (index, kind) in kinds.enumerated() {
            let name = kind.name + String(repeating: " ", count: width - kind.name.count)
            lines.append("    \(name)  \(Self.curve(series.map { $0.byKind[index] }))")
        }
        if let admittedSeconds {
            lines.append("    submits were taken \(Self.tenths(admittedSeconds)) s after its end")
        }
        if let slowestWelcome {
            lines.append("    all connections were welcome within \(Self.tenths(slowestWelcome)) s")
        }
        return lines
    }

    private func whole(_ value: Double) -> String { String(Int(value.rounded())) }

    private static func tenths(_ value: Double) -> Double { (value * 10).rounded(.up) / 10 }

    /// A bar for each second.
    private static func curve(_ values: [Int]) -> String {
        let bars = Array(" ▁▂▃▄▅▆▇█")
        let most = max(values.max() ?? 0, 1)
        return String(values.map { bars[($0 * (bars.count - 1) + most - 1) / most] })
    }
}
