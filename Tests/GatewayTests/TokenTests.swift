import FoundationEssentials
import JWTKit
import StatexReads
import Testing

@testable import StatexGateway

/// Which tokens are believed. Every bad one is refused with a reason, and none crashes anything.
struct TokenTests {
    private func verify(_ token: String, _ settings: TokenSettings = Scene.tokens) async throws -> Identity {
        try await TokenVerifier(settings).verify(token, now: ForgedToken.now)
    }

    private func refuses(_ token: ForgedToken, _ settings: TokenSettings = Scene.tokens) async throws -> Bool {
        do {
            _ = try await verify(token.text(), settings)
            return false
        } catch is TokenRefusal {
            return true
        }
    }

    @Test func `a good token says who asks`() async throws {
        let identity = try await verify(ForgedToken().text())
        #expect(identity == Identity(subject: "tester", scopes: [.read, .submit], tenant: nil))
        #expect(identity.viewer == .everything)
        let tenant = try await verify(ForgedToken(claims: ForgedToken.claims(["tenant": #""acme""#])).text())
        #expect(tenant.viewer == .tenant("acme"))
        let audiences = try await verify(ForgedToken(claims: ForgedToken.claims(["aud": #"["x","statex"]"#])).text())
        #expect(audiences == identity)
    }

    @Test func `what the maker makes is believed`() async throws {
        let token = try await TokenMaker(Scene.tokens).token(
            .init(subject: "me", scopes: [.operate], tenant: "acme", lifetime: .seconds(10)),
            now: Date(timeIntervalSince1970: ForgedToken.now))
        let identity = try await verify(token)
        #expect(identity == Identity(subject: "me", scopes: [.operate], tenant: "acme"))
    }

    @Test(arguments: [
        "none", "None", "nOnE", "NONE", "", "HS384", "HS512", "hs256", "RS256", "ES256", "PS256", "EdDSA", "HS256 ",
    ])
    func `another algorithm than the configured one is refused`(name: String) async throws {
        for signer in [nil, ForgedToken.Signer.secret(Scene.secret)] {
            #expect(try await refuses(ForgedToken(header: #"{"alg":"\#(name)","typ":"JWT"}"#, signer: signer)))
        }
    }

    @Test(arguments: [
        "{}", "[]", "null", "", "{", #"{"alg":["HS256"]}"#, #"{"alg":1}"#, #"{"alg":"none","alg":"HS256"}"#,
        #"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"HS256","typ":"JWE"}"#, #"{"alg":"HS256","typ":1}"#,
        #"{"alg":"HS256","crit":["exp"]}"#, #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256"} "x""#,
        "{\"alg\":\"HS256\u{0}\"}",
    ])
    func `a header that is not as it must be is refused`(header: String) async throws {
        #expect(try await refuses(ForgedToken(header: header)))
    }

    @Test func `what a header says of its key is never looked at`() async throws {
        for more in [
            #""jku":"https://evil.example/keys""#, #""jwk":{"kty":"oct","k":"AAAA"}"#, #""x5u":"file:///etc/passwd""#,
            #""kid":"../../../dev/null""#, #""kid":"' OR 1=1 --""#,
        ] {
            let header = #"{"alg":"HS256",\#(more)}"#
            #expect(try await verify(ForgedToken(header: header).text()).subject == "tester")
            let other = Array("another secret of thirty-two byte".utf8)
            #expect(try await refuses(ForgedToken(header: header, signer: .secret(other))))
        }
    }

    @Test(arguments: [
        ("exp", nil), ("exp", "1799999969"), ("exp", #""1800000060""#), ("exp", "null"), ("exp", "-1"), ("exp", "{}"),
        ("nbf", "1800000031"), ("nbf", #""x""#), ("nbf", "null"), ("iat", "1800000031"), ("iat", "[]"),
        ("aud", nil), ("aud", #""other""#), ("aud", "[]"), ("aud", #"["other"]"#), ("aud", "{}"), ("aud", "null"),
        ("aud", "1"), ("aud", #"["statex",1]"#), ("aud", #""STATEX""#), ("aud", #""statex ""#),
        ("iss", nil), ("iss", #""other""#), ("iss", #"["tests"]"#), ("sub", nil), ("sub", #""""#), ("sub", "1"),
        ("sub", "null"), ("tenant", "null"), ("tenant", #""""#), ("tenant", "1"), ("tenant", #"["acme"]"#),
        ("scope", nil), ("scope", "1"), ("scope", #"["read"]"#), ("exp", "1e999"),
        ("sub", #""\u0000""#), ("sub", #""\ud800""#),
    ])
    func `a claim that is not as it must be is refused`(name: String, value: String?) async throws {
        #expect(try await refuses(ForgedToken(claims: ForgedToken.claims([name: value]))))
    }

    @Test func `names that are too long are refused`() async throws {
        let long = String(repeating: "x", count: 129)
        for name in ["sub", "tenant"] {
            #expect(try await refuses(ForgedToken(claims: ForgedToken.claims([name: #""\#(long)""#]))))
        }
    }

    @Test(arguments: ["", "[]", "null", "{", "{}", #"{"sub":"a","sub":"b"}"#, "\u{FEFF}{}", "{\"a\":1,}"])
    func `claims that are no proper object are refused`(claims: String) async throws {
        #expect(try await refuses(ForgedToken(claims: claims)))
    }

    @Test func `a claim twice is refused, whichever a library would take`() async throws {
        let claims = ForgedToken.claims()
        for twice in [#"{"tenant":"a","tenant":"b","#, #"{"exp":1,"#, #"{"scope":"operate","#] {
            #expect(try await refuses(ForgedToken(claims: twice + claims.dropFirst())))
        }
    }

    @Test func `clocks may be half a minute apart`() async throws {
        for (name, value) in [("exp", "1799999971"), ("nbf", "1800000030"), ("iat", "1800000030")] {
            #expect(try await verify(ForgedToken(claims: ForgedToken.claims([name: value])).text()).subject == "tester")
        }
    }

    @Test func `scopes that others know are left alone`() async throws {
        let claims = ForgedToken.claims(["scope": #""openid read  READ profile""#])
        #expect(try await verify(ForgedToken(claims: claims).text()).scopes == [.read])
    }

    @Test func `a token that was changed anywhere is refused`() async throws {
        let good = Array(try await ForgedToken().text().utf8)
        let verifier = try await TokenVerifier(Scene.tokens)
        var refused = 0
        for index in good.indices {
            for change in [UInt8(ascii: "A"), UInt8(ascii: "-"), UInt8(ascii: "="), UInt8(ascii: ".")]
            where good[index] != change {
                var bad = good
                bad[index] = change
                await #expect(throws: TokenRefusal.self) {
                    try await verifier.verify(String(decoding: bad, as: UTF8.self), now: ForgedToken.now)
                }
                refused += 1
            }
        }
        #expect(refused > 600)
    }

    @Test func `texts that are no tokens are refused`() async throws {
        let good = try await ForgedToken().text()
        let parts = good.split(separator: ".").map(String.init)
        let bad = [
            "", ".", "..", "...", "a.b", "a.b.c", good + ".", "." + good, good + "." + parts[2],
            parts[0] + "." + parts[1],
            parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2], " " + good, good + " ", good + "=",
            good + "==",
            good.uppercased(), String(repeating: "a", count: 1 << 20), String(repeating: ".", count: 5_000),
            String(repeating: "A", count: TokenVerifier.longest - 2) + "..", "\u{0}.\u{0}.\u{0}", "💥.💥.💥",
            "e30.e30.e30",
        ]
        for text in bad { await #expect(throws: TokenRefusal.self) { try await verify(text) } }
    }

    @Test func `a short secret is refused`() async throws {
        let settings = TokenSettings(keys: .secret(Array("only thirty-one bytes of secret".utf8)), audience: "statex")
        await #expect(throws: TokenKeyError.self) { try await TokenVerifier(settings) }
        await #expect(throws: TokenKeyError.self) {
            try await TokenMaker(settings).token(.init(subject: "a", scopes: [], lifetime: .seconds(1)))
        }
    }
}
