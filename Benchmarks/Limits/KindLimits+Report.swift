import StatexProtocol

extension KindLimits {
    package struct Report: Sendable {
        let running: Int
        /// Starts in a second at most: the rate and the burst.
        let startsInSecond: Int
        var crashes = 0
        var missing = 0
        var doubled = 0
        var audit = LimitAudit()
        /// Jobs a second of a kind without limits.
        var besideBacklog = Pairs()
        /// The scheduler's CPU time a job, in microseconds.
        var cost = Pairs()

        init(running: Int, startsInSecond: Int) {
            self.running = running
            self.startsInSecond = startsInSecond
        }

        /// The limits held within one job, nothing was lost, and what waits for them costs others no more than
        /// it may.
        package var isGood: Bool {
            audit.mostRunning <= running + 1 && audit.mostStarted <= startsInSecond + 1
                && audit.mostLeased <= startsInSecond + 1 && missing == 0 && doubled == 0
                && besideBacklog.ratio >= 0.9 && cost.ratio <= 1.05
        }

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.object("crashes") {
                    $0.member("crashes", crashes)
                    $0.member("leases", audit.leases)
                    $0.member("lost", audit.lost)
                    $0.member("running_limit", running)
                    $0.member("running_most", audit.mostRunning)
                    $0.member("starts_in_second_limit", startsInSecond)
                    $0.member("starts_in_second_most", audit.mostStarted)
                    $0.member("leases_in_second_most", audit.mostLeased)
                    $0.member("missing", missing)
                    $0.member("doubled", doubled)
                }
                $0.object("beside_backlog") {
                    $0.member("jobs_per_second_alone", Pairs.median(besideBacklog.without).rounded())
                    $0.member("jobs_per_second_beside_backlog", Pairs.median(besideBacklog.with).rounded())
                    $0.member("ratio", besideBacklog.ratio)
                    write(besideBacklog, to: &$0)
                }
                $0.object("limit_that_does_not_bind") {
                    $0.member("scheduler_cpu_us_per_job_without", Pairs.median(cost.without))
                    $0.member("scheduler_cpu_us_per_job_with", Pairs.median(cost.with))
                    $0.member("ratio", cost.ratio)
                    write(cost, to: &$0)
                }
            }
            return text
        }

        private func write(_ pairs: Pairs, to json: inout JSONText) {
            json.array("pairs", Array(zip(pairs.without, pairs.with))) { pair, json in
                json.member("without", pair.0)
                json.member("with", pair.1)
            }
        }
    }
}
