import Foundation
import Testing

@testable import StatexGateway

struct MemoryReturnTests {
    private static func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(fields[1])) * Int(getpagesize())
    }

    @Test func `freed memory that lies between what lives on is given back`() async throws {
        // Pieces of a KiB, of which one in 64 stays.
        let pieces = (0..<100_000).compactMap { _ in malloc(1_024) }
        for piece in pieces { memset(piece, 1, 1_024) }
        let stays = { (index: Int) in index.isMultiple(of: 64) }
        for (index, piece) in pieces.enumerated() where !stays(index) { free(piece) }
        defer { for (index, piece) in pieces.enumerated() where stays(index) { free(piece) } }
        let before = try Self.residentBytes()
        let returning = Task { try await MemoryReturn(pause: .milliseconds(1)).run() }
        defer { returning.cancel() }
        let until = ContinuousClock.now + .seconds(20)
        while try Self.residentBytes() > before - 50_000_000, .now < until {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try Self.residentBytes() <= before - 50_000_000)
    }
}
