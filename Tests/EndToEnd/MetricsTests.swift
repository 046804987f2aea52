import CollectorTestServer
import Foundation
import StatexClient
import StatexProtocol
import Testing

@testable import StatexStack

extension EndToEnd {
    /// What operators' tools see of real processes. `scripts/setup --test-data` brings Debian's Prometheus.
    @Suite struct MetricsTests {
        private static let settings = ["scheduler_probes": "127.0.0.1:0", "worker_probes": "127.0.0.1:0"]

        /// One job of each way to end.
        private func work(_ client: Client) async throws {
            let submitted = try await client.submit(contentsOf: [
                Request(kind: "echo", payload: .text("a")), Request(kind: "child", payload: .text("b")),
                Request(
                    [JobSpec(kind: "fail", payload: .text(#"{"message":"no","retryable":false}"#))], tenant: "acme"),
            ])
            for request in submitted { _ = try await request.result() }
        }

        @Test func `promtool finds no fault in what scheduler and worker say, and it adds up`() async throws {
            try await TestStack.with(Self.settings) { stack in
                let scheduler = try stack.startScheduler()
                let worker = try stack.startWorker("w", slots: 3)
                let client = try await stack.client()
                try await work(client)
                let (schedulerURL, workerURL) = (try "http://\(scheduler.probes)", try "http://\(worker.probes)")
                try await scheduler.eventually("the scheduler's figures say that three jobs ended") {
                    try await HTTP.get(schedulerURL + "/metrics").body.contains(
                        #"statex_job_end_to_end_seconds_count{kind="child"} 1"#)
                }
                try await worker.eventually("the worker's figures say the same") {
                    try await HTTP.get(workerURL + "/metrics").body.contains(
                        #"statex_worker_attempts_total{kind="fail",ending="failed"} 1"#)
                }
                for url in [schedulerURL, workerURL] {
                    let page = try await HTTP.get(url + "/metrics")
                    #expect(page.status == 200)
                    #expect(try stack.checkMetrics(page.body) == "")
                }
                let said = try await HTTP.get(schedulerURL + "/metrics").body
                for line in [
                    #"statex_jobs_submitted_total{kind="echo"} 1"#,
                    #"statex_jobs_ended_total{kind="echo",state="succeeded"} 1"#,
                    #"statex_jobs_ended_total{kind="fail",state="failed"} 1"#,
                    #"statex_job_queue_wait_seconds_count{kind="fail"} 1"#,
                    #"statex_open_jobs{kind="echo",state="queued"} 0"#, #"statex_tenant_open_jobs{tenant="acme"} 0"#,
                    #"statex_workers{state="serving"} 1"#, "statex_slots 3", "statex_journal_up 1", "statex_clients 1",
                ] { #expect(said.contains("\n\(line)\n"), "\(line) is missing in \(said)") }
                let ofWorker = try await HTTP.get(workerURL + "/metrics").body
                for line in [
                    "statex_worker_connected 1", "statex_worker_slots 3", "statex_worker_jobs_running 0",
                    #"statex_worker_attempts_total{kind="child",ending="succeeded"} 1"#,
                    #"statex_worker_run_seconds_count{kind="echo"} 1"#,
                ] { #expect(ofWorker.contains("\n\(line)\n"), "\(line) is missing in \(ofWorker)") }
                #expect(ofWorker.contains(#"statex_worker_handler_starts_total{kind="child"}"#))
            }
        }

        @Test func `logs are an object a line, and an attempt that failed is named by its job`() async throws {
            try await TestStack.with(["log_format": "json"]) { stack in
                let scheduler = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                let client = try await stack.client()
                var job = JobSpec(kind: "fail", payload: .text(#"{"message":"secret","retryable":false}"#))
                job.traceparent = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                let request = try await client.submit(Request([JobSpec(kind: "noop"), job]))
                #expect(try await request.result().state == .failed)
                #expect(try worker.stop() == .exited(0))
                // A second one waits for the first one's lock, and says why it ends.
                let second = try stack.launchScheduler(site: "b")
                #expect(try second.waitForEnd() == .exited(76))
                // What fails without its journal says what it was about.
                let cancels = "/v1/requests/\(request.id)/cancel"
                try stack.stopPostgres()
                let answer = try await visitor.post(
                    cancels, headers: ["traceparent": "00-11111111111111111111111111111111-2222222222222222-01"])
                #expect(answer.status == 503, "\(answer.text)")
                try stack.startPostgres()
                #expect(try scheduler.stop() == .exited(0))
                #expect(try gateway.stop() == .exited(0))
                for process in [scheduler, worker, second, gateway] {
                    for line in process.said.split(separator: "\n") {
                        let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
                        #expect(object?["component"] != nil, "\(process.name) said: \(line)")
                    }
                }
                #expect(second.said.contains(#""level":"error""#))
                let failures = worker.said.split(separator: "\n").filter { $0.contains("an attempt failed") }
                for field in [
                    #""job":"\#(request.jobIDs[1])""#, #""request":"\#(request.id)""#,
                    #""trace_id":"0af7651916cd43dd8448eb211c80319c""#,
                ] { #expect(failures.count == 1 && failures[0].contains(field), "\(field) in \(failures)") }
                let refused = gateway.said.split(separator: "\n").filter { $0.contains("a request failed") }
                for field in [
                    #""component":"gateway""#, #""request":"\#(request.id)""#, #""code":""#,
                    #""trace_id":"11111111111111111111111111111111""#,
                ] { #expect(refused.count == 1 && refused[0].contains(field), "\(field) in \(gateway.said)") }
                #expect(!worker.said.contains("secret"), "what a handler says is its submitter's")
            }
        }

        @Test func `a scheduler is not ready while its journal is down, and lives`() async throws {
            try await TestStack.with(Self.settings) { stack in
                let scheduler = try stack.startScheduler()
                let url = try "http://\(scheduler.probes)"
                try await scheduler.eventually("ready") { try await HTTP.get(url + "/readyz").status == 200 }
                try stack.stopPostgres()
                try await scheduler.eventually("not ready, with the reason") {
                    let answer = try await HTTP.get(url + "/readyz")
                    return answer.status == 503 && answer.body.contains("the journal")
                }
                #expect(try await HTTP.get(url + "/livez").status == 200)
                #expect(try await HTTP.get(url + "/metrics").body.contains("\nstatex_journal_up 0\n"))
                try stack.startPostgres()
                try await scheduler.eventually("ready again") { try await HTTP.get(url + "/readyz").status == 200 }
            }
        }

        @Test func `a worker is ready while a scheduler serves it, and says why it is not`() async throws {
            try await TestStack.with(Self.settings) { stack in
                let scheduler = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let url = try "http://\(worker.probes)"
                try await worker.eventually("ready") { try await HTTP.get(url + "/readyz").status == 200 }
                try scheduler.kill()
                try await worker.eventually("not ready") {
                    let answer = try await HTTP.get(url + "/readyz")
                    return answer.status == 503 && answer.body.contains("has not welcomed")
                }
                #expect(try await HTTP.get(url + "/livez").status == 200)
                _ = try stack.startScheduler()
                try await worker.eventually("ready again") { try await HTTP.get(url + "/readyz").status == 200 }
            }
        }

        @Test func `Prometheus answers each query of the dashboard from a live stack`() async throws {
            let collector = try Collector()
            let settings = Self.settings.merging(["otlp_endpoint": collector.endpoint]) { $1 }
            try await TestStack.with(settings) { stack in
                let scheduler = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let client = try await stack.client()
                let visitor = try GatewayVisitor(stack.startGateway())
                let (prometheus, url) = try stack.startPrometheus([
                    ("statex-scheduler", try scheduler.probes, nil), ("statex-worker", try worker.probes, nil),
                    ("statex-gateway", visitor.url.replacing("http://", with: ""), visitor.token),
                ])
                try await prometheus.eventually("Prometheus is ready") {
                    (try? await HTTP.get(url + "/-/ready"))?.status == 200
                }
                let queries = try Monitoring.dashboardQueries()
                #expect(queries.count > 40)
                for query in queries {
                    let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                    // Rates need jobs between two scrapes.
                    try await prometheus.eventually("data for \(query)") {
                        try await work(client)
                        for path in ["/v1/jobs", "/v1/jobs?limit=0"] { _ = try await visitor.get(path) }
                        let answer = try await HTTP.get("\(url)/api/v1/query?query=\(encoded)")
                        #expect(answer.status == 200, "\(query): \(answer.body)")
                        return answer.body.contains(#""value":["#)
                    }
                }
                let alerts = try await HTTP.get(url + "/api/v1/rules").body
                #expect(alerts.contains("StatexJournalDown"))
                #expect(!alerts.contains(#""health":"err""#), "\(alerts)")
                #expect(try prometheus.stop() == .exited(0))
            }
        }
    }
}
