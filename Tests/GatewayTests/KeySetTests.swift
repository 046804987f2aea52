import Foundation
import JWTKit
import Testing

@testable import StatexGateway

/// Tokens of an identity provider: its public keys are a JWKS document.
struct KeySetTests {
    private let key = ES256PrivateKey()

    private func jwk(_ key: ES256PrivateKey, _ name: String, _ more: String = "") throws -> String {
        let numbers = try #require(key.parameters)
        let (x, y) = (Self.url(numbers.x), Self.url(numbers.y))
        return #"{"kty":"EC","crv":"P-256","kid":"\#(name)","x":"\#(x)","y":"\#(y)"\#(more)}"#
    }

    private static func url(_ base64: String) -> String {
        base64.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private func verifier(_ keys: String..., rsa: Bool = false) async throws -> TokenVerifier {
        let document = #"{"keys":[\#(keys.joined(separator: ","))]}"#
        return try await TokenVerifier(
            TokenSettings(
                keys: rsa ? .rsa(jwks: document) : .ecdsa(jwks: document), issuer: "tests", audience: "statex"))
    }

    @Test func `the key that a token names must have signed it`() async throws {
        let other = ES256PrivateKey()
        let verifier = try await verifier(jwk(key, "one"), jwk(other, "two"))
        let header = #"{"alg":"ES256","kid":"one"}"#
        let good = try await ForgedToken(header: header, signer: .ecdsa(key)).text()
        #expect(try await verifier.verify(good, now: ForgedToken.now).subject == "tester")
        for (header, signer) in [
            (header, other), (#"{"alg":"ES256","kid":"two"}"#, key), (#"{"alg":"ES256","kid":"three"}"#, key),
            (#"{"alg":"ES256"}"#, key), (#"{"alg":"ES256","kid":"../one"}"#, key), (#"{"alg":"ES256","kid":1}"#, key),
            (#"{"alg":"ES256","kid":"\#(String(repeating: "k", count: 5_000))"}"#, key),
        ] {
            let bad = try await ForgedToken(header: header, signer: .ecdsa(signer)).text()
            await #expect(throws: TokenRefusal.self) { try await verifier.verify(bad, now: ForgedToken.now) }
        }
    }

    @Test func `a key set that is exchanged is believed from then on, and tickets stay good`() async throws {
        let file = NSTemporaryDirectory() + "statex-jwks-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let other = ES256PrivateKey()
        let documents = try [jwk(key, "one"), jwk(other, "two")].map { #"{"keys":[\#($0)]}"# }
        let read = { @Sendable in
            let document = try String(contentsOfFile: file, encoding: .utf8)
            return TokenSettings(keys: .ecdsa(jwks: document), issuer: "tests", audience: "statex")
        }
        try documents[0].write(toFile: file, atomically: true, encoding: .utf8)
        let tokens = try await TokensInForce(read(), file: TokenFile(file, read: read), logger: Scene.logger)
        let one = try await ForgedToken(header: #"{"alg":"ES256","kid":"one"}"#, signer: .ecdsa(key)).text()
        let two = try await ForgedToken(header: #"{"alg":"ES256","kid":"two"}"#, signer: .ecdsa(other)).text()
        func isBelieved(_ token: String) async -> Bool {
            (try? await tokens.verifier.verify(token, now: ForgedToken.now)) != nil
        }
        #expect(await isBelieved(one))
        #expect(await !isBelieved(two))
        let ticket = try await tokens.tickets.ticket(for: Identity(subject: "ada", scopes: [.read], tenant: nil))
        for (document, isRefused) in [(documents[1], false), (#"{"keys":[]}"#, true), (documents[1], false)] {
            try document.write(toFile: file, atomically: true, encoding: .utf8)
            await tokens.look()
            #expect(tokens.isRefused == isRefused)
            #expect(await !isBelieved(one))
            #expect(await isBelieved(two))
        }
        _ = try await tokens.tickets.verify(ticket, now: Date().timeIntervalSince1970)
    }

    @Test func `a signature of zeros, of another length or in DER is refused`() async throws {
        let verifier = try await verifier(jwk(key, "one"))
        let good = try await ForgedToken(header: #"{"alg":"ES256","kid":"one"}"#, signer: .ecdsa(key)).text()
        let signed = good.split(separator: ".").dropLast().joined(separator: ".")
        for signature in [
            [], [0], [UInt8](repeating: 0, count: 64), [UInt8](repeating: 0, count: 63),
            [UInt8](repeating: 255, count: 64),
            [UInt8](repeating: 0, count: 128), [0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
        ] {
            await #expect(throws: TokenRefusal.self) {
                try await verifier.verify("\(signed).\(Base64URL.encode(signature))", now: ForgedToken.now)
            }
        }
    }

    @Test func `a public key is never taken for a secret`() async throws {
        let rsa = try Insecure.RSA.PrivateKey(pem: Self.pem)
        let verifier = try await verifier(rsaKey(rsa), rsa: true)
        let header = #"{"alg":"RS256","kid":"rsa"}"#
        let good = try await ForgedToken(header: header, signer: .rsa(rsa)).text()
        #expect(try await verifier.verify(good, now: ForgedToken.now).subject == "tester")
        let secret = Array(rsa.publicKey.pemRepresentation.utf8)
        for algorithm in ["HS256", "RS256", "none"] {
            let bad = try await ForgedToken(
                header: #"{"alg":"\#(algorithm)","kid":"rsa"}"#, signer: .secret(secret)
            ).text()
            await #expect(throws: TokenRefusal.self) { try await verifier.verify(bad, now: ForgedToken.now) }
        }
    }

    private func rsaKey(_ key: Insecure.RSA.PrivateKey, name: String = "rsa") throws -> String {
        let numbers = try key.publicKey.getKeyPrimitives()
        let (n, e) = (Base64URL.encode(numbers.modulus), Base64URL.encode(numbers.publicExponent))
        return #"{"kty":"RSA","kid":"\#(name)","n":"\#(n)","e":"\#(e)"}"#
    }

    @Test func `a document that mixes or lacks keys, or holds a private one, is refused`() async throws {
        let rsa = try rsaKey(Insecure.RSA.PrivateKey(pem: Self.pem))
        let one = try jwk(key, "one")
        for keys in [
            "", rsa, "\(one),\(rsa)", "\(one),\(one)", try jwk(key, ""), try jwk(key, "a", #","d":"AAAA""#),
            try jwk(key, "a", #","alg":"ES384""#), #"{"kty":"oct","kid":"a","k":"AAAA"}"#, "1",
            #"{"kty":"EC","crv":"P-256","kid":"a","x":"AAAA","y":"AAAA"}"#, one.replacing(#""kid":"one","#, with: ""),
        ] {
            await #expect(throws: TokenKeyError.self, "\(keys)") { try await verifier(keys) }
        }
        await #expect(throws: TokenKeyError.self) { try await verifier(one, rsa: true) }
    }

    /// Of these tests alone.
    private static let pem = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCgP4g5U4xyaQtE
        c/wKon16xK+yIaje4HiJc/U6U4c5F8y2o17gs0C07Y2yStPlPPX8EejZ9af0Fv0l
        8E8+qDUBD3knOlvQjxTG1WIfo2blk4r2f9FUeDFrZuBYCmvvXl39eBy2vE+ZD7ah
        fEmq37LzgZ9MqC3Ma8cT7yrmcpBJ54T0yFhgSVCjcymt8OBE4GbOJf1nwtrrDAkv
        mgzqpxOZYbKDyXNpZYVuOVK1tzI8GaM80POT+cVRAoLbJI104FxKUryPR3HIN9vw
        kNJ3FOy16mFc0uR1BSD8qYA9trdydAJosqUL7iusjmmhDghTmtLuWL+wUaHFSXhu
        Ya9k3VXxAgMBAAECggEAJ2TW6TjXyvx1z6Mvr7GYZUja5FCQAhJur2O5QlhsYqWu
        Jqvs1BJc8t1/OvhYNP+SfSAt/P7+Bexs2RnFcWLKfPM/1lvrXE8ATY0BbUOvNPrb
        a5OqcziE9aE5v4r4U8UAGCKh9G5ApyEMxZAXUBFkHaac8axabemE7CqcgkBhpjkH
        fDgvuB1CPJOnn+lhQRmVQZD/v2+7J7hmWBjnWGnpld0qxD+l+Ugxy9jjuH3kx6W8
        obapqF+yh2WYeqUFHOCuDKIuKotifea5y7U/CJyEiC11iBdBYNeyBCSqYq1f6oXK
        /HfqkL9IWDozyUL4U9E1EFgrJ8fyOEnu8NrRCpJMHQKBgQDRSfoMV5f1d6Dewl98
        qHKtENZ0ypxYygv20TtvOT9rURmh2OsTCUo8zJTddaFPOU9YL8FKx2qbUl4uWU5C
        vwSNGqscWySa3Lic7lD409SH1TMKJgxF3z+50phEDSF1BFiUZVbJsoVHiBYAkBjx
        mlldAIgG9Erde/8dOimdwl32ZwKBgQDEA4odcL1ElBuSs34s/YSFjh0wnAO/fO38
        +R23FG0DILAqMhmP81KUL8P1WPmZQgX0bcL4LwnRlSHEEL3fhQhdiZ516NNj35up
        bnlT2R/+F30Dk9BWKG617rVN7uYIm9/Rs4vLtAP9XgfAc9vxGZ5euJzZd9uUDp99
        bxQcrAap5wKBgDrrSpvC5SLTxNQxgFRFz9LtFJLYn19XsjqP+N19Dl+V+1NXEAbR
        7LZlGdumy/zTs4SuHQqCTX7gl2cQ+TlNMWjQAy/+cLWwQcDcTqteZ0y+Npo6z+Wz
        zerwYLF3yN16lb1hMieiPGdA5oDOEFekDlhiV+ktSQ5FZDLENwcUuwMtAoGBALY7
        WC+QvdXBIHVd/KNVOtxzyD2F/pILUrLK485u5f5vaHiCRXOoUxDD65nxE3Rhhmm9
        lfLowGciD9dZfT0OUD2uES0rvUPwAqcdtxy2EuFG8wndZWaEhpEMEXEX9rLwP8CU
        /RXwEXl/7xMEY+md2LfVSLWBkhnvEmYqW/dgE33nAoGACkv7KlZYwTPLyL5PrA9x
        zgbjycthrGUmIa+gfZFZ+FAifInlQrSJregM/1yNsQywswCPiMZifTsUquxvRg26
        sDA4r3Kpe2Kco5QqG1m+K5wkqxKdOc/kg9ZcXbgRU4rOTQ8GY7FbtN2SMUdRzbER
        uqZoqySxf1tke/xQm34/Aws=
        -----END PRIVATE KEY-----
        """
}
