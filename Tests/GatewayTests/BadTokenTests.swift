import Foundation
import HTTPTypes
import HummingbirdTesting
import Testing

@testable import StatexGateway

/// Tokens that are made of a good one by what attackers change. Most are signed as they should be, so that it is not
/// the signature that saves us.
struct BadTokenTests {
    private typealias Named = (name: String, token: String)

    private static let header = #"{"alg":"HS256","typ":"JWT"}"#
    private static let other = [UInt8]("another secret of thirty-two byte".utf8)

    /// Good ones for the next minute, but for what is named; nil takes a claim away.
    private static func claims(_ name: String = "", _ value: String? = nil) -> String {
        let exp = String(Int(Date().timeIntervalSince1970) + 60)
        return name.isEmpty ? ForgedToken.claims(["exp": exp]) : ForgedToken.claims(["exp": exp, name: value])
    }

    private static func make(
        header: String = header, claims: String = claims(), signer: ForgedToken.Signer? = .secret(Scene.secret)
    ) async throws -> String {
        try await ForgedToken(header: header, claims: claims, signer: signer).text()
    }

    /// Of bytes that need not be texts.
    private static func make(header: [UInt8], claims: [UInt8]) async throws -> String {
        let signed = Base64URL.encode(header) + "." + Base64URL.encode(claims)
        return signed + "." + Base64URL.encode(try await ForgedToken.Signer.secret(Scene.secret).sign(signed))
    }

    @Test func `of hundreds of bad tokens none is let in`() async throws {
        let bad =
            try await Self.algorithms() + Self.headers() + Self.values() + Self.shapes() + Self.encodings()
            + Self.signatures() + Self.sizes()
        #expect(Set(bad.map(\.token)).count >= 250, "\(bad.count)")
        let scene = try await Scene()
        let good = try await Self.make()
        try await scene.gateway.application().test(.router) { client in
            func status(_ token: String) async throws -> Int {
                let response = try await client.execute(uri: "/v1/jobs", method: .get, headers: Scene.bearer(token))
                #expect(response.headers[.contentType] == "application/problem+json")
                return response.status.code
            }
            // It is let in, and finds no journal.
            #expect(try await status(good) == 503)
            for (name, token) in bad {
                let answer = try await status(token)
                #expect(answer == 401, "\(name): \(answer) for \(token.prefix(200))")
            }
        }
    }

    private static func algorithms() async throws -> [Named] {
        var tokens: [Named] = []
        for name in [
            "none", "None", "nOnE", "NONE", "", "HS384", "HS512", "hs256", "RS256", "RS384", "RS512", "ES256", "ES384",
            "ES512", "PS256", "EdDSA", "HS256 ", "dir", "A128KW", "HMAC", "null", "HS256\\n",
        ] {
            for (who, signer) in [("nobody", nil), ("us", .secret(Scene.secret)), ("others", .secret(other))]
                as [(String, ForgedToken.Signer?)]
            {
                tokens.append(
                    (
                        "alg \(name) by \(who)",
                        try await make(header: #"{"alg":"\#(name)","typ":"JWT"}"#, signer: signer)
                    ))
            }
        }
        let secret = Scene.secret
        // (Shorter ones are not signed with by the library.)
        let keys: [[UInt8]] = [
            [UInt8](repeating: 0, count: 32), [UInt8](repeating: 255, count: 64), Array(secret.reversed()),
            Array(secret.dropFirst()) + [0], Array(Base64URL.encode(secret).utf8), other, secret + secret,
            Array(String(repeating: "secret", count: 6).utf8), Array(String(repeating: "statex", count: 6).utf8),
        ]
        for key in keys {
            tokens.append(("signed with \(key)", try await make(signer: .secret(key))))
        }
        return tokens
    }

    private static func headers() async throws -> [Named] {
        let members = [
            #""typ":"JWE""#, #""typ":"JWS""#, #""typ":"none""#, #""typ":"""#, #""typ":"jwt2""#, #""typ":1"#,
            #""typ":null"#, #""typ":[]"#, #""typ":{}"#, #""crit":["exp"]"#, #""crit":[]"#, #""crit":"exp""#,
            #""crit":null"#, #""crit":{"a":1}"#, #""crit":["b64"],"b64":false"#,
        ].map { #"{"alg":"HS256",\#($0)}"# }
        let whole = [
            "{}", "[]", "null", "", "{", #"{"alg":["HS256"]}"#, #"{"alg":1}"#, #"{"alg":{"HS256":1}}"#,
            #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","alg":"HS256"}"#, #"{"ALG":"HS256"}"#,
            #"{"\u0061lg":"HS256","alg":"none"}"#, #"{"alg":"HS256"} "x""#, #"{alg:"HS256"}"#, #"{'alg':'HS256'}"#,
            #"{"alg":"HS256",}"#, #"{"alg":"HS256"/**/}"#,
        ]
        var tokens: [Named] = []
        for header in members + whole { tokens.append(("header \(header)", try await make(header: header))) }
        return tokens
    }

    private static func values() async throws -> [Named] {
        let noTexts = ["null", "true", "1", "-1", "[]", "{}", "[null]", #""\u0000""#, #""\ud800""#]
        let noNumbers = ["null", "true", #""x""#, #""""#, "[]", "{}", #""1800000060""#, "1e400"]
        var claims: [(String, String?)] = []
        for name in ["sub", "aud", "iss", "scope", "tenant"] { claims += noTexts.map { (name, $0) } }
        for name in ["exp", "nbf", "iat"] { claims += noNumbers.map { (name, $0) } }
        claims += ["sub", "aud", "iss", "scope", "exp"].map { ($0, nil) }
        claims += [
            ("exp", "0"), ("exp", "-1"), ("exp", "1"), ("nbf", "4000000000"), ("iat", "4000000000"), ("sub", #""""#),
            ("tenant", #""""#), ("aud", #""other""#), ("aud", #""STATEX""#), ("aud", #"["other"]"#),
            ("iss", #""other""#), ("iss", #""tests ""#),
        ]
        var tokens: [Named] = []
        for (name, value) in claims {
            tokens.append(("\(name): \(value ?? "missing")", try await make(claims: self.claims(name, value))))
        }
        let good = self.claims()
        for name in ["sub", "aud", "iss", "scope", "exp"] {
            tokens.append(("\(name) twice", try await make(claims: #"{"\#(name)":"a","# + good.dropFirst())))
        }
        for text in ["", "[]", "null", "{", "{}", "\u{FEFF}" + good, good + good, good.dropLast() + ",}", "[\(good)]"] {
            tokens.append(("claims \(text.prefix(20))", try await make(claims: text)))
        }
        return tokens
    }

    /// What is a token of another form, or holds one.
    private static func shapes() async throws -> [Named] {
        let good = try await make()
        let parts = good.split(separator: ".").map(String.init)
        let flattened = #"{"protected":"\#(parts[0])","payload":"\#(parts[1])","signature":"\#(parts[2])"}"#
        return [
            ("JSON", flattened), ("JSON, encoded", Base64URL.encode(flattened.utf8)),
            ("encrypted", good + ".AAAA.AAAA"), ("in itself", try await make(claims: good)),
            ("in itself, and said so", try await make(header: #"{"alg":"HS256","cty":"JWT"}"#, claims: #""\#(good)""#)),
            ("compressed, and said so", try await make(header: #"{"alg":"HS256","zip":"DEF"}"#, claims: "\u{1}\u{2}")),
            ("twice", good + "." + good), ("two", good + "," + good), ("without claims", parts[0] + ".." + parts[2]),
            ("without a header", "." + parts[1] + "." + parts[2]), ("two parts", parts[0] + "." + parts[1]),
            ("one part", parts[1]), ("turned round", parts.reversed().joined(separator: ".")),
            ("in quotes", "\"\(good)\""), ("with a scheme", "Bearer " + good), ("nothing", ""), ("dots", "..."),
        ]
    }

    /// The same content, otherwise encoded.
    private static func encodings() async throws -> [Named] {
        let parts = try await make().split(separator: ".").map(String.init)
        let ways: [(String, (String) -> String)] = [
            ("padded", { $0 + "=" }), ("padded twice", { $0 + "==" }),
            ("with a line's end", { $0.prefix(9) + "\n" + $0.dropFirst(9) }),
            ("with a space", { $0.prefix(9) + " " + $0.dropFirst(9) }), ("escaped", { "%" + $0 }),
            ("with a byte too many", { $0 + "A" }), ("with a byte too few", { String($0.dropLast()) }),
            ("twice", { Base64URL.encode($0.utf8) }), ("in lower case", { $0.lowercased() }),
            ("turned round", { String($0.reversed()) }),
            ("in hexadecimal", { $0.utf8.map { String($0, radix: 16) }.joined() }),
            ("with a NUL", { $0.prefix(9) + "\u{0}" + $0.dropFirst(9) }),
        ]
        var tokens: [Named] = []
        for index in parts.indices {
            for (name, change) in ways {
                var changed = parts
                changed[index] = change(parts[index])
                tokens.append(("part \(index) \(name)", changed.joined(separator: ".")))
            }
        }
        let texts = (header: header, claims: claims())
        for (name, change) in [
            ("UTF-16", { Array($0.data(using: .utf16LittleEndian) ?? Data()) }),
            ("UTF-32", { Array($0.data(using: .utf32BigEndian) ?? Data()) }),
            ("not UTF-8", { Array($0.utf8.dropLast()) + Array(#","x":""#.utf8) + [0xFF] + Array("\"}".utf8) }),
            ("an overlong quote", { Array($0.utf8.dropLast()) + [0xC0, 0xA2] + Array("}".utf8) }),
            ("a NUL behind it", { Array($0.utf8) + [0] }), ("a NUL before it", { [0] + Array($0.utf8) }),
        ] as [(String, (String) -> [UInt8])] {
            tokens.append(
                ("header \(name)", try await make(header: change(texts.header), claims: Array(texts.claims.utf8))))
            tokens.append(
                ("claims \(name)", try await make(header: Array(texts.header.utf8), claims: change(texts.claims))))
        }
        return tokens
    }

    private static func signatures() async throws -> [Named] {
        let good = try await make()
        let parts = good.split(separator: ".").map(String.init)
        let signed = parts[0] + "." + parts[1]
        let signature = try #require(Base64URL.decode(parts[2].utf8))
        let signer = ForgedToken.Signer.secret(Scene.secret)
        let richer = try await make(claims: claims("scope", #""read submit operate""#)).split(separator: ".")
        var bytes: [[UInt8]] = [0, 1, 8, 15, 16, 20, 30, 31].map { Array(signature.prefix($0)) }
        let forged: [[UInt8]] = [
            [UInt8](repeating: 0, count: 32), [UInt8](repeating: 255, count: 32), signature + signature,
            signature + [0],
            [0] + signature, Array(signature.reversed()), signature.map { ~$0 }, try await signer.sign(parts[0]),
            try await signer.sign(parts[1]), try await signer.sign(parts[1] + "." + parts[0]),
            try await signer.sign(header + "." + claims()), Array(Scene.secret),
        ]
        bytes += forged
        return bytes.map { ("signature \($0.prefix(4)) of \($0.count)", signed + "." + Base64URL.encode($0)) } + [
            ("other claims' signature", "\(parts[0]).\(richer[1]).\(parts[2])"),
            ("signed by nobody", try await make(signer: nil)),
        ]
    }

    private static func sizes() async throws -> [Named] {
        let good = String(claims().dropLast())
        func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
        var tokens: [Named] = [
            ("a megabyte", many("a", 1 << 20)), ("a megabyte of dots", many(".", 1 << 20)),
            ("a megabyte of parts", many("e30.", 1 << 18)),
        ]
        for (name, more) in [
            ("a long claim", "\"x\":\"\(many("a", 10_000))\""),
            ("many claims", (0..<2_000).map { "\"c\($0)\":1" }.joined(separator: ",")),
            ("lists in lists", "\"x\":" + many("[", 2_000) + many("]", 2_000)),
            ("lists without end", "\"x\":" + many("[", 4_000)),
            ("objects in objects", "\"x\":" + many("{\"a\":", 600) + "1" + many("}", 600)),
            ("a long subject", "\"sub\":\"\(many("s", 101))\""),
        ] {
            tokens.append((name, try await make(claims: good + "," + more + "}")))
        }
        tokens.append(("a long expiry", try await make(claims: claims("exp", "9" + many("0", 400)))))
        tokens.append(("a long tenant", try await make(claims: claims("tenant", "\"\(many("t", 129))\""))))
        tokens.append(("a long header", try await make(header: #"{"alg":"HS256","kid":"\#(many("k", 10_000))"}"#)))
        return tokens
    }
}
