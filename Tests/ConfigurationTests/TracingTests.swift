import Glibc
import Testing

@testable import StatexConfiguration

struct TracingTests {
    private func headers(_ text: String) throws -> [(name: String, value: String)] {
        let scratch = try ScratchFolder()
        let file = try scratch.write(text, to: "headers")
        return try load(flags: ["otlp_headers_file": file]).configuration.tracing.readHeaders()
    }

    @Test func `nothing is sent anywhere unless somebody says where`() throws {
        let tracing = try load().configuration.tracing
        #expect(tracing.endpoint == nil && tracing.path == "/v1/traces" && tracing.sampling == 1)
        #expect(try tracing.readHeaders().isEmpty)
    }

    @Test func `headers that others may read are refused`() throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("authorization: Basic YTpi", to: "headers")
        try #require(chmod(file, 0o644) == 0)
        let error = #expect(throws: ConfigurationError.self) {
            try load(flags: ["otlp_headers_file": file]).configuration.tracing.readHeaders()
        }
        #expect(error?.description.contains("otlp_headers_file: \(file): others may read this secret") == true)
    }

    @Test func `headers stand in lines of a file`() throws {
        let headers = try headers("authorization: Basic YTpi:x\n\n  X-Scope-OrgID:  acme \r\n")
        #expect(headers.map(\.name) == ["authorization", "X-Scope-OrgID"])
        #expect(headers.map(\.value) == ["Basic YTpi:x", "acme"])
    }

    @Test(arguments: ["secret", "a b: secret", ": secret", "a:", "a: sécret", "a: secret\u{1}x", "ok: 1\nsecret\n"])
    func `a line that is no header is refused, and not repeated`(text: String) throws {
        do {
            _ = try headers(text)
            Issue.record("\(text) was taken")
        } catch let error as ConfigurationError {
            #expect(error.description.contains("line \(text.hasPrefix("ok") ? 2 : 1)"))
            #expect(!error.description.contains("secret") && !error.description.contains("sécret"))
        }
    }

    @Test(arguments: [("otlp_endpoint", "localhost:4318"), ("otlp_endpoint", "http://u:p@h"), ("otlp_sampling", "1.1")])
    func `what makes no sense is refused`(key: String, text: String) throws {
        #expect(try problems(flags: [key: text]).count == 1)
    }
}
