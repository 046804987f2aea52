import Testing

@testable import StatexConfiguration

struct GatewayTests {
    @Test(arguments: [
        ("127.0.0.1:8420", "127.0.0.1", 8420), ("0.0.0.0:0", "0.0.0.0", 0), ("[::1]:80", "::1", 80),
        ("[::]:65535", "::", 65_535),
    ])
    func `an address is a literal host and a port`(text: String, host: String, port: Int) throws {
        let address = try load(flags: ["gateway": text]).configuration.gateway.address
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address?.description == text)
    }

    @Test func `off means none`() throws {
        #expect(try load("gateway: off").configuration.gateway.address == nil)
    }

    @Test(arguments: [
        "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", ":80", "1.2.3:80", "on",
    ])
    func `another address is refused`(text: String) throws {
        let problems = try problems(flags: ["gateway": text])
        #expect(problems.count == 1 && problems[0].contains("must be a literal address and a port"), "\(problems)")
    }

    @Test func `without tokens only loopback may be bound`() throws {
        for host in ["127.0.0.1", "127.1.2.3", "::1"] {
            try checkBind(gateway: ListenAddress(host: host, port: 1), hasKeys: false)
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "::ffff:127.0.0.1", "128.0.0.1"] {
            let address = ListenAddress(host: host, port: 1)
            #expect(throws: BindError.self) { try checkBind(gateway: address, hasKeys: false) }
            try checkBind(gateway: address, hasKeys: true)
        }
    }

    @Test func `tokens need the key file of their algorithm`() throws {
        #expect(try load().configuration.gateway.tokens == nil)
        let secret = try load("gateway_tokens: {secret_file: /a}").configuration.gateway.tokens
        #expect(secret?.algorithm == .hs256 && secret?.keyFile == "/a" && secret?.audience == "statex")
        let keys = try load("gateway_tokens: {algorithm: ES256, jwks_file: /b, issuer: me, audience: you}")
            .configuration.gateway.tokens
        #expect(keys?.algorithm == .es256 && keys?.keyFile == "/b" && keys?.issuer == "me" && keys?.audience == "you")
        for (text, problem) in [
            ("{algorithm: RS256}", "RS256 needs jwks_file"), ("{algorithm: HS256}", "HS256 needs secret_file"),
            ("{algorithm: RS256, secret_file: /a}", "is not for RS256"),
            ("{secret_file: /a, jwks_file: /b}", "is not for HS256"),
            ("{algorithm: none, secret_file: /a}", "must be one of"),
            ("{algorithm: HS512, secret_file: /a}", "must be one of"), ("{secret: abc}", "unknown key"),
        ] {
            let problems = try problems("gateway_tokens: \(text)")
            #expect(problems.contains { $0.contains(problem) }, "\(text): \(problems)")
        }
    }

    @Test func `a certificate goes with a key`() throws {
        for key in ["gateway_tls_certificate", "gateway_tls_key"] {
            #expect(try problems("\(key): /a").count == 1)
        }
        #expect(try problems("{gateway_tls_certificate: /a, gateway_tls_key: /b}") == [])
    }
}
