import Foundation
import Glibc
import Testing

@testable import StatexWebhooks

/// What is taken for a URL means the same to other readers.
struct URLFuzzTests {
    /// Pieces from which tricks are made.
    private static let pieces = [
        "http://", "https://", "127.0.0.1", "example.org", "localhost", "[::1]", "::1", "0x7f", "0177", "2130706433",
        "1", "@",
        ":", "/", "?", "#", "\\", "%", "%2e", "%00", ".", "..", "-", "_", "80", "443", "65536", "a", "user", "[", "]",
        "::",
        "ffff", "xn--a", "&", ";", ",", "=", "+", "~", "*", "!", "$", "'", "(", ")", "x", "0", "00", "255", "256",
    ]

    private struct Chance: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// Half of them begin as a URL does.
    private static func texts(_ count: Int, seed: UInt64) -> [String] {
        var chance = Chance(state: seed)
        return (0..<count).map { _ in
            let chosen = (0..<Int.random(in: 1...7, using: &chance)).map { _ in
                pieces.randomElement(using: &chance) ?? ""
            }
            return (Bool.random(using: &chance) ? "https://" : "") + chosen.joined()
        }
    }

    @Test func `whatever is taken has the host, the port and the user that Foundation finds in it`() throws {
        var taken = 0
        for text in Self.texts(40_000, seed: 1) {
            guard let url = try? WebhookURL(text) else { continue }
            taken += 1
            let other = try #require(URLComponents(string: text), "\(text)")
            #expect(other.user == nil && other.password == nil && other.fragment == nil, "\(text)")
            let host = other.encodedHost?.lowercased().trimmingCharacters(in: ["[", "]"]) ?? ""
            // Addresses are compared as such: ::1 and 0:0::1 are one.
            #expect(
                host == url.host || IPAddress(host) == url.address && url.address != nil,
                "\(text): \(host), \(url.host)")
            #expect(other.port ?? (url.isSecure ? 443 : 80) == Int(url.port), "\(text)")
        }
        #expect(taken > 1_000)
    }

    @Test func `no name that is taken is an address to the system's resolver`() {
        var names = 0
        for text in Self.texts(40_000, seed: 2) {
            guard let url = try? WebhookURL(text), url.address == nil else { continue }
            names += 1
            var hints = addrinfo()
            hints.ai_flags = AI_NUMERICHOST
            var list: UnsafeMutablePointer<addrinfo>?
            let code = getaddrinfo(url.host, nil, &hints, &list)
            if let list { freeaddrinfo(list) }
            #expect(code != 0, "\(text): \(url.host)")
        }
        #expect(names > 1_000)
    }

    @Test func `an address reads as it is written`() throws {
        var chance = Chance(state: 3)
        for count in [4, 16] {
            for _ in 0..<2_000 {
                let bytes = (0..<count).map { _ in
                    Bool.random(using: &chance) ? 0 : UInt8.random(in: 0...255, using: &chance)
                }
                let address = try #require(IPAddress(bytes: bytes))
                #expect(IPAddress(address.description) == address)
            }
        }
    }
}
