import Testing

@testable import StatexObjects

struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func `gives the published sums`(text: String, hex: String) throws {
        #expect(try SHA256.digest(of: Array(text.utf8)).hex == hex)
    }

    @Test func `a sum survives bytes and hexadecimal text`() throws {
        let digest = try SHA256.digest(of: [1, 2, 3])
        #expect(SHA256Digest(digest.bytes) == digest)
        #expect(SHA256Digest(hex: digest.hex) == digest)
        #expect(digest.bytes.count == 32)
    }

    @Test func `a sum of pieces is the sum of the whole`() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hash = try SHA256()
        for piece in stride(from: 0, to: bytes.count, by: 777) {
            try bytes[piece..<min(piece + 777, bytes.count)].withUnsafeBytes { try hash.update($0) }
        }
        let inPieces = try hash.finish()
        #expect(try inPieces == SHA256.digest(of: bytes))
    }

    @Test(arguments: [
        "", "00", String(repeating: "g", count: 64), String(repeating: "A", count: 64),
        String(repeating: "0", count: 65),
    ])
    func `refuses what is not 64 lower-case digits`(text: String) {
        #expect(SHA256Digest(hex: text) == nil)
    }

    @Test func `refuses bytes that are not 32`() {
        #expect(SHA256Digest([UInt8](repeating: 0, count: 31)) == nil)
        #expect(SHA256Digest([UInt8](repeating: 0, count: 33)) == nil)
    }
}
