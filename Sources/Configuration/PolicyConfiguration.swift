// What an operator sets for kinds and tenants. A running scheduler takes changes of it over at SIGHUP.

import StatexProtocol

/// How many run, and how many start a second, at most.
package struct LimitConfiguration: Sendable, Equatable {
    package var running: Int?
    package var perSecond: Double?
    /// Starts that may come at once after a rest.
    package var burst: Int

    init(from values: inout ValueReader) {
        running = values.take("running", .integer(0...1_000_000))
        perSecond = values.take("per_second", .number(0.001...1_000_000))
        burst = values.take("burst", default: 1, .integer(1...1_000_000))
        if burst > 1, perSecond == nil { values.refuse("burst", "goes with per_second, which is not set") }
    }
}

/// What happens after failures: for all kinds, and the same keys in a kind for that one.
package struct RetryConfiguration: Sendable, Equatable {
    package var attempts: Int
    package var backoff: Duration
    package var backoffMaximum: Duration
    /// Retries for each first attempt, and in any case so many a second.
    package var budget: Double
    package var budgetPerSecond: Double
    /// Of the kind, and of the kind in one worker.
    package var circuit: CircuitConfiguration
    package var quarantine: CircuitConfiguration

    /// - Parameter others: what holds where a key is not set.
    init(from values: inout ValueReader, others: RetryConfiguration?) {
        attempts = values.take("attempts", default: others?.attempts ?? 3, .integer(1...100))
        backoff = values.take(
            "retry_backoff_seconds", default: others?.backoff ?? .seconds(1), .seconds(0.01...86_400))
        backoffMaximum = values.take(
            "retry_backoff_max_seconds", default: others?.backoffMaximum ?? .seconds(300),
            .seconds(0.01...604_800))
        if backoff > backoffMaximum {
            values.refuse(
                "retry_backoff_seconds", "must be at most retry_backoff_max_seconds (\(backoffMaximum.text))")
        }
        budget = values.take("retry_budget", default: others?.budget ?? 0.2, .number(0...100))
        budgetPerSecond = values.take(
            "retry_budget_per_second", default: others?.budgetPerSecond ?? 10, .number(0.001...1_000_000))
        circuit = CircuitConfiguration(
            from: &values, "circuit",
            others: others?.circuit ?? .init(failures: 20, wait: .seconds(1), maximum: .seconds(5)))
        quarantine = CircuitConfiguration(
            from: &values, "quarantine",
            others: others?.quarantine ?? .init(failures: 10, wait: .seconds(10), maximum: .seconds(60)))
    }
}

/// What is paused when it fails every time, and how often it is tried then.
package struct CircuitConfiguration: Sendable, Equatable {
    /// In a row; 0: never.
    package var failures: Int
    /// From a failure to the next try. It doubles.
    package var wait: Duration
    package var maximum: Duration

    fileprivate init(failures: Int, wait: Duration, maximum: Duration) {
        self.failures = failures
        self.wait = wait
        self.maximum = maximum
    }

    fileprivate init(from values: inout ValueReader, _ name: String, others: CircuitConfiguration) {
        failures = values.take("\(name)_failures", default: others.failures, .integer(0...1_000_000))
        wait = values.take("\(name)_wait_seconds", default: others.wait, .seconds(0.01...86_400))
        maximum = values.take("\(name)_wait_max_seconds", default: others.maximum, .seconds(0.01...86_400))
        if wait > maximum {
            values.refuse("\(name)_wait_seconds", "must be at most \(name)_wait_max_seconds (\(maximum.text))")
        }
    }
}

package struct KindConfiguration: Sendable, Equatable {
    package var limit: LimitConfiguration
    /// Of its worker's resources, for each job.
    package var needs: [ResourceAmount]
    package var retry: RetryConfiguration

    init(from values: inout ValueReader, others: RetryConfiguration) {
        limit = values.takeGroup("limit", like: "{running: 8, per_second: 50}") { LimitConfiguration(from: &$0) }
        needs = values.take("needs", default: [], .amounts)
        retry = RetryConfiguration(from: &values, others: others)
    }
}

package struct TenantConfiguration: Sendable, Equatable {
    package var weight: Double
    package var limit: LimitConfiguration
    package var maximumOpenJobs: Int?
    package var maximumOpenBytes: Int?

    init(from values: inout ValueReader) {
        weight = values.take("weight", default: 1, .number(0.001...1_000_000))
        maximumOpenJobs = values.take("max_open_jobs", .integer(0...100_000_000))
        maximumOpenBytes = values.take("max_open_bytes", .bytes(0...1 << 50))
        limit = values.takeGroup("limit", like: "{running: 8, per_second: 50}") { LimitConfiguration(from: &$0) }
    }
}

extension Configuration {
    /// In place of a tenant's name: all tenants that are not named.
    package static let otherTenants = "*"

    /// Whether a running scheduler takes a change of the key over; else it holds from the next start on.
    package static func isLive(_ key: String) -> Bool {
        liveKeys.contains(key) || ["kinds.", "tenants.", "schedules."].contains { key.hasPrefix($0) }
    }

    private static let liveKeys: Set<String> = [
        "attempts", "retry_backoff_seconds", "retry_backoff_max_seconds", "retry_budget", "retry_budget_per_second",
        "circuit_failures", "circuit_wait_seconds", "circuit_wait_max_seconds", "quarantine_failures",
        "quarantine_wait_seconds", "quarantine_wait_max_seconds", "max_open_jobs",
        "max_open_bytes",
    ]
}
