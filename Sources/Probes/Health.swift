import StatexProtocol

/// Whether a process lives, or is ready for work: what was looked at, and why not.
package struct Health: Sendable {
    package struct Check: Sendable {
        package var name: String
        /// nil: all is well.
        package var problem: String?

        package init(_ name: String, problem: String? = nil) {
            self.name = name
            self.problem = problem
        }
    }

    package var checks: [Check]

    package init(_ checks: [Check]) { self.checks = checks }

    package var isGood: Bool { checks.allSatisfy { $0.problem == nil } }

    /// `{"status":"ok","checks":[{"name":"journal","ok":true}]}`, with a `reason` where something is not.
    package var json: [UInt8] {
        var text = JSONText()
        text.object {
            $0.member("status", isGood ? "ok" : "unavailable")
            $0.array("checks", checks) { check, json in
                json.member("name", check.name)
                json.member("ok", check.problem == nil)
                if let problem = check.problem { json.member("reason", problem) }
            }
        }
        return text.bytes
    }
}

/// A loop that publishes figures each second, as health sees it.
enum LoopAge {
    /// Longer than any turn of a loop that works; shorter than a lease, so that traffic goes elsewhere first.
    static let notReady: Int64 = 5_000_000_000
    /// So long that only a restart will help.
    static let dead: Int64 = 30_000_000_000

    static func problem(_ takenAt: Int64, at now: Int64, limit: Int64) -> String? {
        let age = now - takenAt
        return age > limit ? "its loop has not turned for \(age / 1_000_000_000) s" : nil
    }
}
