import StatexProtocol

extension GatewayCost {
    struct Window: Sendable {
        let isWith: Bool
        let seconds: Double
        let schedulerSeconds: Double
        let postgresSeconds: Double
        let gatewaySeconds: Double
        /// The median over the window.
        let gatewayBytes: Int
        var jobs = 0
        /// What the crowd said.
        let crowd: JSONObject

        init(isWith: Bool, _ before: Sample, _ after: Sample, gatewayBytes: Int, said crowd: JSONObject) {
            self.gatewayBytes = gatewayBytes
            self.isWith = isWith
            seconds = Double(after.at - before.at) / 1e6
            schedulerSeconds = after.schedulerSeconds - before.schedulerSeconds
            postgresSeconds = after.postgresSeconds - before.postgresSeconds
            gatewaySeconds = after.gatewaySeconds - before.gatewaySeconds
            self.crowd = crowd
        }

        func said(_ name: String) -> Int { crowd.integer(name) ?? 0 }
        var crowdJobs: Int { said("jobs") }
        var lost: Int { said("expected") - said("received") }
        var readsPerSecond: Double { Double(said("reads")) / seconds }

        func write(to text: inout JSONText) {
            func perJob(_ seconds: Double) -> Double { seconds * 1e6 / Double(max(jobs, 1)) }
            text.member("crowd", isWith)
            text.member("jobs_per_second", (Double(jobs) / seconds).rounded())
            text.object("cpu_us_per_job") {
                $0.member("scheduler", perJob(schedulerSeconds))
                $0.member("postgres", perJob(postgresSeconds))
                $0.member("together", perJob(schedulerSeconds + postgresSeconds))
            }
            text.member("gateway_cpu_seconds_per_second", gatewaySeconds / seconds)
            text.member("gateway_rss_bytes", gatewayBytes)
            guard isWith else { return }
            text.member("reads_per_second", readsPerSecond)
            for name in ["read_p50_ms", "read_p99_ms", "opening_seconds"] {
                text.member(name, crowd.number(name) ?? 0)
            }
            text.object("stream_of_everything") {
                $0.member("shown_per_second", Double(said("all_shown")) / seconds)
                $0.member("said_sampled", said("all_sampled"))
                $0.member("one_in_at_most", said("all_one_in"))
            }
        }
    }

    package struct Report: Sendable {
        let target: (listeners: Int, readsPerSecond: Int)
        var warmUp: Window?
        var windows: [Window] = []
        /// Acknowledged.
        var jobs = 0
        var missing = 0
        var doubled = 0

        init(target: (listeners: Int, readsPerSecond: Int)) { self.target = target }

        var all: [Window] { (warmUp.map { [$0] } ?? []) + windows }
        private var loaded: [Window] { all.filter(\.isWith) }
        private func sum(_ name: String) -> Int { loaded.reduce(0) { $0 + $1.said(name) } }

        /// CPU time of scheduler and Postgres for a job, with the crowd over without: the median of the pairs'.
        private func ratio(_ time: (Window) -> Double) -> Double {
            func cost(_ window: Window) -> Double { time(window) / Double(max(window.jobs, 1)) }
            var pairs = Pairs()
            for (without, with) in zip(windows.filter { !$0.isWith }, windows.filter(\.isWith)) {
                pairs.add(without: cost(without), with: cost(with))
            }
            return pairs.ratio
        }

        private var costRatio: Double { ratio { $0.schedulerSeconds + $0.postgresSeconds } }
        /// The gateway's memory in the last window with the crowd, over that in the first.
        private var memoryRatio: Double {
            Double(loaded.last?.gatewayBytes ?? 0) / Double(max(loaded.first?.gatewayBytes ?? 0, 1))
        }
        private var lost: Int { loaded.reduce(0) { $0 + $1.lost } }

        package var isGood: Bool {
            costRatio <= 1.1 && memoryRatio <= 1.1 && lost == 0 && sum("gaps") == 0 && sum("broken") == 0
                && sum("sampled") == 0 && sum("all_sampled") > 0 && sum("reads_failed") == 0
                && loaded.allSatisfy { $0.readsPerSecond >= 0.98 * Double(target.readsPerSecond) } && missing == 0
                && doubled == 0
        }

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.object("cpu_per_job_ratio") {
                    $0.member("together", costRatio)
                    $0.member("scheduler", ratio(\.schedulerSeconds))
                    $0.member("postgres", ratio(\.postgresSeconds))
                }
                $0.member("gateway_memory_ratio", memoryRatio)
                $0.object("listeners") {
                    $0.member("streams", target.listeners)
                    $0.member("events_expected", sum("expected"))
                    $0.member("events_received", sum("received"))
                    $0.member("lost", lost)
                    for name in ["repeats", "leased_again", "gaps", "broken", "sampled"] { $0.member(name, sum(name)) }
                }
                $0.object("reads") {
                    $0.member("per_second_wanted", target.readsPerSecond)
                    $0.member("failed", sum("reads_failed"))
                }
                $0.member("jobs", jobs)
                $0.member("missing", missing)
                $0.member("doubled", doubled)
                $0.member("trouble", orNull: loaded.lazy.compactMap { $0.crowd.string("trouble") }.first)
                $0.array("windows", windows) { $0.write(to: &$1) }
            }
            return text
        }
    }
}
