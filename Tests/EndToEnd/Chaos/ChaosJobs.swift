import StatexClient
import StatexProtocol
import StatexSchedulerCore

/// A job of a chaos run, and how it may end.
struct ChaosJob {
    enum Kind: CaseIterable {
        case noop, echo, sleep, child, failOnce, failAlways, failForGood, crash
    }

    let kind: Kind
    let spec: JobSpec

    init(_ kind: Kind, number: Int, using chance: inout SeededGenerator) {
        self.kind = kind
        var spec: JobSpec
        switch kind {
        case .noop: spec = JobSpec(kind: "noop", payload: .text(""))
        case .echo:
            let size = Int.random(in: 0...2_000, using: &chance)
            spec = JobSpec(kind: "echo", payload: .text("\(number):" + String(repeating: "x", count: size)))
        case .sleep:
            spec = JobSpec(kind: "sleep", payload: .text(#"{"ms":\#(Int.random(in: 0...20, using: &chance))}"#))
        case .child:
            // A killed handler costs an attempt each time; nobody is killed that often.
            spec = JobSpec(kind: "child", payload: .text("\(number)"))
            spec.attempts = 20
        case .failOnce: spec = JobSpec(kind: "fail", payload: .text(#"{"attempts":1,"retry_after_ms":20}"#))
        case .failAlways:
            spec = JobSpec(kind: "fail", payload: .text(#"{"retry_after_ms":20}"#))
            spec.attempts = 2
        case .failForGood: spec = JobSpec(kind: "fail", payload: .text(#"{"retryable":false}"#))
        case .crash: spec = JobSpec(kind: "crash", payload: .text(""))
        }
        spec.priority = Int.random(in: 0..<10, using: &chance)
        self.spec = spec
    }

    /// The usual mix. `crash` takes a worker with it each time, so it is ordered apart.
    static func random(number: Int, using chance: inout SeededGenerator) -> ChaosJob {
        let kind: Kind =
            switch Int.random(in: 0..<100, using: &chance) {
            case ..<45: .noop
            case ..<70: .echo
            case ..<80: .sleep
            case ..<88: .child
            case ..<94: .failOnce
            case ..<97: .failAlways
            default: .failForGood
            }
        return ChaosJob(kind, number: number, using: &chance)
    }

    /// Why this end is wrong; nil: it is right.
    func objection(to status: JobStatus, wasCancelled: Bool) -> String? {
        if status.state == .cancelled { return wasCancelled ? nil : "cancelled by nobody" }
        // Its workers were killed under it.
        if status.state == .dead, status.losses >= Limits.losses { return nil }
        let expected: JobState =
            switch kind {
            case .noop, .echo, .sleep, .child, .failOnce: .succeeded
            case .failAlways, .crash: .dead
            case .failForGood: .failed
            }
        guard status.state == expected else { return "\(kind) ended \(status.state), not \(expected)" }
        if kind == .crash { return "dead after \(status.losses) losses" }
        guard status.state == .succeeded else { return nil }
        let result: Payload =
            switch kind {
            case .echo: spec.payload
            case .child: .text("\"\(status.id)\"")
            case .noop, .sleep, .failOnce, .failAlways, .failForGood, .crash: .bytes([])
            }
        return status.result == result ? nil : "\(kind) has another result than it should"
    }
}
