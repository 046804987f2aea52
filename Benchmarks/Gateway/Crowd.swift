import FoundationEssentials
import Glibc
import StatexClient
import StatexProtocol
import Synchronization

/// Those who use a gateway for one window: `statex bench crowd` (hidden), in a process of its own.
///
/// Half of the listeners hear one request each, whose jobs come due one after the other in the window; the others hear
/// a tenant, each of which has a steady trickle of jobs. One more hears everything. Meanwhile the requests are asked
/// for as a portal would. The jobs are there in a window without listeners too.
package struct Crowd: Sendable {
    package var endpoint = ""
    package var gateway = ""
    package var token = ""
    /// Of the window, which begins after `lead`: until then everybody must listen.
    package var seconds = 60
    package var lead = 35
    package var listeners = 1_000
    package var readsPerSecond = 500
    /// Without: only the jobs.
    package var isThere = true

    package init() {}

    private static let kind = "noop"
    private static let jobsOfRequest = 4
    /// With four events a job, a tenant has 96 a second.
    private static let jobsOfTenantPerSecond = 24
    private static let feedsPerSecond = 2
    private static let listenersOfTenant = 25
    private static let askers = 50
    private static let openingAtOnce = 16
    /// How long what was submitted may take to be heard, after the window.
    private static let patience = Duration.seconds(30)

    private var requests: Int { listeners / 2 }
    private var tenants: [String] {
        let count = (listeners - requests + Self.listenersOfTenant - 1) / Self.listenersOfTenant
        return (0..<count).map { "tenant-\($0)" }
    }

    /// Prints `begun` when the window begins, and what everybody saw once it is over.
    package func main() async throws {
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(endpoint, settings: settings)
        let begin = ContinuousClock.now + .seconds(lead)
        let watched = try await submitRequests(client, dueAt: Date.now + Double(lead))
        let visitors = isThere ? HTTPVisitors(url: gateway, token: token) : nil
        var report = CrowdReport()
        report.jobs = watched.count * Self.jobsOfRequest
        var heard: [HeardCount] = []
        let everything = HeardCount()
        if let visitors {
            heard = try await open(visitors, watched, everything)
            report.openingSeconds = Double(lead) - (begin - .now) / .seconds(1)
            guard .now < begin else {
                throw ClientError.invalid("after \(lead) s only some of \(listeners) listeners had a stream")
            }
        }
        try await Task.sleep(until: begin, clock: .continuous)
        print("begun")
        fflush(nil)
        let before = everything.counts
        let answers = AnswerCount()
        async let asking: Void = ask(visitors, watched, from: begin, into: answers)
        let fed = try await feed(client, from: begin)
        try await asking
        let after = everything.counts
        report.shown = after.events + after.leases - before.events - before.leases
        report.jobs += fed * tenants.count
        for count in heard[min(requests, heard.count)...] {
            // Of each job that its request was created, that it succeeded, and that its request completed.
            count.expect(events: fed * 3, leases: fed)
        }
        let deadline = ContinuousClock.now + Self.patience
        while heard.contains(where: { !$0.isComplete }), .now < deadline {
            try await Task.sleep(for: .milliseconds(100))
        }
        report.add(heard)
        report.everything = everything.counts
        report.answers = answers.counts
        print(String(decoding: report.json.bytes, as: UTF8.self))
        await client.close()
        await visitors?.close()
    }

    // MARK: Jobs

    /// Requests whose jobs come due one after the other, over the window, each at its own times.
    private func submitRequests(_ client: Client, dueAt begin: Date) async throws -> [JobID] {
        let step = Double(seconds) * 0.95 / Double(Self.jobsOfRequest)
        let all = (0..<requests).map { number in
            let phase = Double(number) / Double(requests)
            return Request(
                (0..<Self.jobsOfRequest).map { index in
                    var job = JobSpec(kind: Self.kind)
                    job.startAt = begin + (Double(index) + phase) * step
                    return job
                }, tenant: "watched")
        }
        return try await client.submitEach(all).map { try $0.get().id }
    }

    /// The trickle of every tenant, for the length of the window.
    /// - Returns: how many jobs of each.
    private func feed(_ client: Client, from begin: ContinuousClock.Instant) async throws -> Int {
        let jobs = Self.jobsOfTenantPerSecond / Self.feedsPerSecond
        let all = tenants.flatMap { tenant in
            (0..<jobs).map { _ in Request(kind: Self.kind, payload: .bytes([]), tenant: tenant) }
        }
        let ticks = seconds * Self.feedsPerSecond
        for tick in 0..<ticks {
            try await Task.sleep(
                until: begin + .seconds(1) / Self.feedsPerSecond * tick, clock: .continuous)
            for answer in await client.submitEach(all) { _ = try answer.get() }
        }
        return ticks * jobs
    }

    // MARK: People

    private func open(_ visitors: HTTPVisitors, _ watched: [JobID], _ everything: HeardCount) async throws
        -> [HeardCount]
    {
        let tenants = tenants
        var streams = watched.map {
            ("/v1/requests/\($0)/events", HeardCount(events: Self.jobsOfRequest + 1, leases: Self.jobsOfRequest))
        }
        // What they must hear is known when the feed has ended.
        streams += (0..<listeners - watched.count).map {
            ("/v1/events?tenant=\(tenants[$0 % tenants.count])", HeardCount())
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, (path, count)) in (streams + [("/v1/events", everything)]).enumerated() {
                if number >= Self.openingAtOnce { try await group.next() }
                group.addTask { try await visitors.listen(path, into: count) }
            }
            try await group.waitForAll()
        }
        return streams.map(\.1)
    }

    /// Each asker goes through some of the requests, in turns for the request and one of its jobs.
    private func ask(
        _ visitors: HTTPVisitors?, _ watched: [JobID], from begin: ContinuousClock.Instant, into answers: AnswerCount
    ) async throws {
        guard let visitors, readsPerSecond > 0, !watched.isEmpty else { return }
        let period = Duration.seconds(1) * Self.askers / readsPerSecond
        let end = begin + .seconds(seconds)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for asker in 0..<Self.askers {
                group.addTask {
                    let turn = Atomic(0)
                    let start = begin + period * asker / Self.askers
                    try await visitors.ask(every: period, from: start, until: end, into: answers) {
                        let turn = turn.wrappingAdd(1, ordering: .relaxed).oldValue
                        let request = watched[(turn * Self.askers + asker) % watched.count]
                        guard turn % 2 == 1 else { return "/v1/requests/\(request)" }
                        return "/v1/jobs/\(request.rawValue + UInt64(turn / 2 % Self.jobsOfRequest))"
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

extension HeardCount {
    var isComplete: Bool {
        let counts = counts
        let isWhole =
            counts.events >= events.load(ordering: .relaxed) && counts.leases >= leases.load(ordering: .relaxed)
        return isWhole || counts.trouble != nil
    }
}
