import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexClient
import Testing

@testable import StatexGateway

struct ScaleTests {
    private let rule = ScaleRule(targetWait: 30, mostWorkers: 20, slotsPerWorker: 2, hold: 300)

    private func figures(
        backlog: Int = 0, seconds: Double = 0, oldest: Double = 0, running: Int = 0, workers: Int = 0
    ) -> ScaleRule.Figures {
        var figures = ScaleRule.Figures()
        figures.backlog = backlog
        figures.backlogSeconds = seconds
        figures.oldestSeconds = oldest
        figures.running = running
        figures.workers = workers
        figures.slots = workers * 2
        return figures
    }

    @Test func `nothing to do needs nobody, and anything somebody`() {
        #expect(rule.need(figures()) == 0)
        #expect(rule.need(figures(workers: 5)) == 0)
        #expect(rule.need(figures(backlog: 1, seconds: 0.001)) == 1)
        #expect(rule.need(figures(running: 1, workers: 1)) == 1)
    }

    @Test func `what waits is done within the target, beside what runs, and within the bound`() {
        #expect(rule.need(figures(backlog: 100, seconds: 300)) == 5)
        #expect(rule.need(figures(backlog: 100, seconds: 300, running: 8, workers: 4)) == 10)
        #expect(rule.need(figures(backlog: 1_000_000, seconds: 1e12)) == 20)
        #expect(rule.need(figures(backlog: 1_000_000, seconds: .infinity)) == 20)
    }

    @Test func `a target that was missed asks for one more than there are`() {
        #expect(rule.need(figures(backlog: 3, seconds: 0.1, oldest: 31, running: 2, workers: 6)) == 7)
        #expect(rule.need(figures(oldest: 31, running: 2, workers: 6)) == 2)
    }

    @Test func `more comes at once, fewer only after they were enough for a while`() {
        var memory = ScaleRule.Memory()
        let seen = [(0, 2), (10, 8), (20, 3), (200, 5), (309, 3), (311, 3), (499, 1), (501, 1), (700, 0), (900, 0)].map
        {
            memory.desired($0.1, hold: 300, at: Double($0.0))
        }
        #expect(seen == [2, 8, 8, 8, 8, 5, 5, 3, 1, 0])
    }

    @Test func `jobs that come and go all the time are no busy slots: what they ran is`() {
        var memory = ScaleRule.Memory()
        var figures = figures(running: 2, workers: 1)
        // 4,000 jobs a second of 0.2 ms: 0.8 slots, though at each look both have something.
        let seen = (0...30).map { step -> Int in
            figures.ended = (step * 15 * 4_000, Double(step * 15) * 0.8)
            return memory.running(figures, at: Double(step * 15))
        }
        // The first look has none before it.
        #expect(seen == [2] + [Int](repeating: 1, count: 30))
        figures.running = seen[30]
        #expect(rule.need(figures) == 1)
    }

    @Test func `runs that are long beside the time between two looks say nothing: who holds one runs it`() {
        var memory = ScaleRule.Memory()
        var figures = figures(running: 4, workers: 2)
        for (at, ended) in [(0.0, (0, 0.0)), (15, (0, 0)), (30, (2, 50)), (90, (3, 75))] {
            figures.ended = ended
            #expect(memory.running(figures, at: at) == 4)
        }
    }

    @Test func `a scheduler that starts anew counts from nothing`() {
        var memory = ScaleRule.Memory()
        var figures = figures(running: 2, workers: 1)
        figures.ended = (1_000_000, 500)
        #expect(memory.running(figures, at: 0) == 2)
        figures.ended = (10, 0.001)
        #expect(memory.running(figures, at: 15) == 2)
        figures.ended = (60_010, 12.001)
        #expect(memory.running(figures, at: 30) == 1)
    }

    @Test func `only the label's jobs and workers count, if one is named`() throws {
        let text = """
            {"epoch":1,"uptime_seconds":1,"open_jobs":9,"delayed_jobs":0,"clients":1,
             "journal":{"state":"up","commits":1,"commit_ms":1},"counts":{},"paused":[],"schedules":[],
             "queues":[{"kind":"audio","queued":8,"leased":9,"backlog_seconds":80,"oldest_seconds":5,"runs":7,"run_seconds":1.5,
                        "labelled":[{"labels":["gpu"],"queued":2},{"labels":["eu","gpu"],"queued":2}]}],
             "workers":[\(worker("a", labels: #""gpu""#, leases: 2)),\(worker("b", labels: "", leases: 9)),
                        \(worker("c", labels: #""gpu""#, leases: 2, draining: true))]}
            """
        let status = try #require(SchedulerStatus(json: text))
        let all = ScaleRule.Figures(status, kind: "audio", label: nil)
        #expect(all.backlog == 8 && all.backlogSeconds == 80 && all.slots == 8 && all.running == 6 && all.workers == 2)
        #expect(all.ended.map { $0 == (7, 1.5) } == true)
        let gpu = ScaleRule.Figures(status, kind: "audio", label: "gpu")
        #expect(gpu.backlog == 4 && gpu.backlogSeconds == 40 && gpu.slots == 4 && gpu.running == 2)
        let other = ScaleRule.Figures(status, kind: "audio", label: "asia")
        #expect(other.backlog == 0 && rule.need(other) == 0)
        let unknown = ScaleRule.Figures(status, kind: "unknown", label: nil)
        #expect(unknown.slots == 0 && unknown.ended == nil && rule.need(unknown) == 0)
    }

    private func worker(_ name: String, labels: String, leases: Int, draining: Bool = false) -> String {
        """
        {"name":"\(name)","incarnation":"1","connected":true,"draining":\(draining),"slots":4,"leases":\(leases),
         "succeeded":0,"failed":0,"labels":[\(labels)],"resources":[],"kinds":[{"kind":"audio"}]}
        """
    }

    @Test func `over a day of an autoscaler that asks every 15 s, waits keep to the target, and workers follow`() {
        var day = AutoscaledDay(rule)
        day.run()
        #expect(day.wait(0.95) <= rule.targetWait, "p95 \(day.wait(0.95))")
        // Work that filled every slot would take these; the rest is the fifth that is kept free, and what the hold makes
        // of chance: the most that ran within five minutes.
        let least = day.workSeconds / Double(rule.slotsPerWorker)
        #expect(day.workerSeconds < 3 * least, "\(day.workerSeconds / least) times the least")
        #expect(day.mostWorkers <= rule.mostWorkers && day.leastWorkers == 0)
    }

    @Test(arguments: [("", "kind"), ("?kind=", "kind"), ("?kind=a&labels=b", "labels"), ("?kind=a&kind=b", "kind")])
    func `a parameter that is wrong names the field`(query: String, field: String) async throws {
        let scene = try await Scene()
        let headers = Scene.bearer(try await Scene.token())
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(uri: "/v1/scale\(query)", method: .get, headers: headers)
            #expect(response.status == .unprocessableContent)
            #expect(try ReadProblem(response).errors?.map(\.field) == [field])
        }
    }
}

/// A day of jobs and workers, second by second: nothing at night, a morning and an evening peak, one burst; an autoscaler
/// asks every 15 s, at most doubles (or adds 4), and a worker takes 20 s to start. (KEDA's metrics-api with its defaults.)
private struct AutoscaledDay {
    private static let poll = 15
    private static let start = 20
    private static let meanRun = 2.0

    private let rule: ScaleRule
    private var memory = ScaleRule.Memory()
    private var random = Splits(state: 7)
    private var waiting: [Double] = []
    private var head = 0
    /// When each slot is free again.
    private var slots: [Double] = []
    private var starting: [Int] = []
    private var waits: [Double] = []
    private(set) var workSeconds = 0.0
    private(set) var workerSeconds = 0.0
    private(set) var mostWorkers = 0
    private(set) var leastWorkers = Int.max

    init(_ rule: ScaleRule) { self.rule = rule }

    mutating func run() {
        for second in 0..<86_400 {
            arrive(at: second)
            slots += starting.filter { $0 == second }.flatMap { _ in [Double](repeating: 0, count: rule.slotsPerWorker)
            }
            starting.removeAll { $0 <= second }
            work(at: Double(second))
            if second % Self.poll == 0 { scale(at: second) }
            let workers = slots.count / rule.slotsPerWorker
            workerSeconds += Double(workers)
            mostWorkers = max(mostWorkers, workers + starting.count)
            leastWorkers = min(leastWorkers, workers)
        }
    }

    func wait(_ part: Double) -> Double { waits.sorted()[Int(Double(waits.count) * part)] }

    private mutating func arrive(at second: Int) {
        let hour = Double(second) / 3_600
        func peak(_ at: Double) -> Double { max(0, 1 - abs(hour - at) / 3) }
        let burst = (50_000..<50_600).contains(second) ? 6.0 : 0
        let rate = 5 * peak(9) + 4 * peak(18) + burst
        for _ in 0..<8 where random.next() < rate / 8 { waiting.append(Double(second)) }
    }

    private mutating func work(at now: Double) {
        for index in slots.indices where slots[index] <= now && head < waiting.count {
            let run = Self.meanRun * (0.25 + 1.5 * random.next())
            waits.append(now - waiting[head])
            head += 1
            slots[index] = now + run
            workSeconds += run
        }
    }

    private mutating func scale(at second: Int) {
        var figures = ScaleRule.Figures()
        figures.backlog = waiting.count - head
        figures.backlogSeconds = Double(figures.backlog) * Self.meanRun
        figures.oldestSeconds = head < waiting.count ? Double(second) - waiting[head] : 0
        figures.running = slots.count { $0 > Double(second) }
        figures.slots = slots.count
        figures.workers = slots.count / rule.slotsPerWorker
        let desired = memory.desired(rule.need(figures), hold: rule.hold, at: Double(second))
        let there = figures.workers + starting.count
        if desired > there {
            let more = min(desired - there, max(4, there))
            starting += [Int](repeating: second + Self.start, count: more)
        } else if desired < figures.workers {
            // Those that are idle go; a busy one would drain first.
            slots.sort(by: >)
            slots.removeLast(
                min(slots.count { $0 <= Double(second) }, (figures.workers - desired) * rule.slotsPerWorker))
            // Whole workers.
            while slots.count % rule.slotsPerWorker > 0 { slots.append(0) }
        }
    }

    /// The same chance each time (SplitMix64), from 0 to 1.
    private struct Splits {
        var state: UInt64
        mutating func next() -> Double {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
        }
    }
}
