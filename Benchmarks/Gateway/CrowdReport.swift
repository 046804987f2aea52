import StatexProtocol

/// What the crowd of one window saw.
struct CrowdReport {
    /// That it submitted.
    var jobs = 0
    /// Until all streams were open.
    var openingSeconds = 0.0
    var listeners = 0
    var expected = 0
    var received = 0
    var repeats = 0
    /// Leases that were lost and given again.
    var leasedAgain = 0
    var gaps = 0
    /// Streams that ended before their time.
    var broken = 0
    /// Streams of a request or a tenant that were thinned out: none should be.
    var sampled = 0
    /// Of everything, in the window.
    var shown = 0
    var everything = HeardCount.Counts()
    var answers = AnswerCount.Counts()
    var trouble: String?

    init() {}

    var lost: Int { max(0, expected - received) }

    mutating func add(_ heard: [HeardCount]) {
        listeners = heard.count
        for one in heard {
            let counts = one.counts
            let events = one.events.load(ordering: .relaxed)
            let leases = one.leases.load(ordering: .relaxed)
            expected += events + leases
            // What one has too much makes no other's loss good.
            received += min(counts.events, events) + min(counts.leases, leases)
            repeats += counts.repeats + max(0, counts.events - events)
            leasedAgain += max(0, counts.leases - leases)
            gaps += counts.gaps
            broken += counts.trouble == nil ? 0 : 1
            sampled += counts.sampled
            trouble = trouble ?? counts.trouble
        }
    }

    // MARK: From process to process

    var json: JSONText {
        var text = JSONText()
        text.object {
            $0.member("jobs", jobs)
            $0.member("opening_seconds", openingSeconds)
            $0.member("listeners", listeners)
            $0.member("expected", expected)
            $0.member("received", received)
            $0.member("repeats", repeats)
            $0.member("leased_again", leasedAgain)
            $0.member("gaps", gaps)
            $0.member("broken", broken)
            $0.member("sampled", sampled)
            $0.member("all_shown", shown)
            $0.member("all_sampled", everything.sampled)
            $0.member("all_one_in", everything.mostSampled)
            $0.member("reads", answers.answered)
            $0.member("reads_failed", answers.failed)
            $0.member("read_p50_ms", answers.milliseconds(0.5))
            $0.member("read_p99_ms", answers.milliseconds(0.99))
            $0.member("trouble", orNull: trouble ?? everything.trouble ?? answers.trouble)
        }
        return text
    }
}
