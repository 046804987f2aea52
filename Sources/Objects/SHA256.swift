import CCrypto

/// 32 bytes that name a content.
package struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    // Big-endian words, so that the value is plain and compares fast.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// - Returns: nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// - Returns: nil unless there are exactly 64 lower-case hexadecimal digits.
    package init?(hex: some StringProtocol) {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self.init(bytes)
    }

    package var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    /// 64 lower-case hexadecimal digits.
    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    package var description: String { hex }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        // One word of a good hash is enough to spread by.
        hasher.combine(words.0)
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// Computes a SHA-256 piece by piece.
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    package init() throws(ObjectError) {
        guard let context = EVP_MD_CTX_new() else { throw .hash }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw .hash
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) throws(ObjectError) {
        guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else { throw .hash }
    }

    package consuming func finish() throws(ObjectError) -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_DigestFinal_ex(context, &bytes, &length) == 1, let digest = SHA256Digest(bytes.prefix(Int(length)))
        else {
            throw .hash
        }
        return digest
    }

    package static func digest(of bytes: [UInt8]) throws(ObjectError) -> SHA256Digest {
        var hash = try SHA256()
        try bytes.withUnsafeBufferPointer { bytes throws(ObjectError) in try hash.update(UnsafeRawBufferPointer(bytes))
        }
        return try hash.finish()
    }

    /// The sum of what is left to read in `file`, and how many bytes that was.
    package static func digest(ofFile file: borrowing FileDescriptor) throws(ObjectError) -> (
        digest: SHA256Digest, size: UInt64
    ) {
        var hash = try SHA256()
        var size: UInt64 = 0
        try file.readPieces { piece throws(ObjectError) in
            try hash.update(piece)
            size += UInt64(piece.count)
        }
        return (try hash.finish(), size)
    }
}

extension FileDescriptor {
    /// Calls `body` with each piece of what is left to read.
    package borrowing func readPieces(_ body: (UnsafeRawBufferPointer) throws(ObjectError) -> Void) throws(ObjectError)
    {
        // 256 KiB: past that, larger reads gain nothing over the hash.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// What is left to read, up to `limit` bytes.
    package borrowing func readAll(limit: Int) throws(ObjectError) -> [UInt8] {
        var bytes: [UInt8] = []
        try readPieces { piece throws(ObjectError) in
            guard piece.count <= limit - bytes.count else {
                throw .tooLarge(size: UInt64(bytes.count + piece.count), limit: UInt64(clamping: limit))
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }
}
