import Foundation
import StatexClient
import Testing

@testable import StatexStack

extension EndToEnd {
    /// The gateway's OpenAPI document before everything real.
    @Suite struct DocumentTests {
        private static let schemathesis = Monitoring.root + "/.venv/bin/st"

        /// `scripts/test --document` asks more.
        @Test(.enabled(if: access(schemathesis, X_OK) == 0, "scripts/setup --test-data brings schemathesis"))
        func `schemathesis finds no fault, and nobody gets through without a token`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let log = stack.directory + "/fuzz.log"
                var command = Command(
                    "/bin/bash",
                    [
                        Monitoring.root + "/scripts/fuzz-api", "--gateway", visitor.url, "--token", visitor.token,
                        "--examples", "2", "--seed", "1",
                    ], environment: ["PATH": "/usr/bin:/bin", "HOME": stack.directory])
                command.log = log
                let end = try ChildProcess.run(command, limit: .seconds(240))
                let said = ProcessTable.text(log)
                #expect(end == .exited(0), "\(said.suffix(6_000))")
                let cases = said.matches(of: /(\d+) generated, (\d+) passed/).compactMap { Int($0.output.2) }
                #expect(cases.count == 2 && cases.allSatisfy { $0 > 300 }, "\(said.suffix(1_000))")
            }
        }

        @Test func `promtool finds no fault in what the gateway says of itself`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                _ = try await visitor.get("/v1/jobs")
                _ = try await visitor.get("/v1/jobs?limit=0")
                let page = try await visitor.get("/metrics")
                #expect(page.status == 200)
                #expect(try stack.checkMetrics(page.text) == "")
                for line in [
                    #"statex_gateway_link_up{to="scheduler"} 1"#, #"statex_gateway_link_up{to="journal"} 1"#,
                    #"statex_http_requests_total{route="/v1/jobs",method="GET",status="200"} 1"#,
                    #"statex_http_problems_total{code="invalid"} 1"#,
                ] { #expect(page.text.contains("\n\(line)\n"), "\(line) is missing in \(page.text)") }
            }
        }
    }
}
