import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import StatexObjects
import StatexProtocol
import StatexReads

/// Answers contents, or parts of them: inline ones at once, objects in pieces as they are read, no faster than they are
/// taken, and never held in memory.
struct ObjectReader: Sendable {
    let places: ObjectPlaces

    /// What is read from a file at once.
    private static let pieceBytes = 64 << 10

    /// - Parameter name: what it is called where somebody saves it.
    func response(_ content: Content, called name: String, to request: Request) async throws -> Response {
        let source = try await source(content)
        let tag = "\"\(source.sha256)\""
        var headers: HTTPFields = [
            .contentType: source.type, .contentDisposition: "attachment; filename=\"\(name)\"", .acceptRanges: "bytes",
            .eTag: tag, .reprDigest: "sha-256=:\(Data(source.sha256.bytes).base64EncodedString()):",
        ]
        // Of other methods nothing says what a range means.
        let range = request.method == .get ? ByteRange(request.headers, size: source.size, tag: tag) : .whole
        switch range {
        case .whole: return Response(status: .ok, headers: headers, body: try await body(source, 0..<source.size))
        case .part(let part):
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(source.size)"
            return Response(status: .partialContent, headers: headers, body: try await body(source, part))
        case .none: throw Problem.noSuchRange(size: source.size)
        }
    }

    private struct Source {
        let size: Int
        let sha256: SHA256Digest
        let type: String
        let bytes: Bytes
    }

    private enum Bytes {
        case inline([UInt8])
        case file(OpenedObject)
    }

    private func source(_ content: Content) async throws -> Source {
        let bytes = content.bytes
        switch content.encoding {
        case .bytes:
            let type = ContentKind.of(bytes[...], isWhole: true)
            return Source(size: bytes.count, sha256: try SHA256.digest(of: bytes), type: type, bytes: .inline(bytes))
        case .object:
            return try await places.use { stores in
                let reference = try ObjectReference(text: bytes)
                guard let size = Int(exactly: reference.size) else {
                    throw ObjectError.tooLarge(size: reference.size, limit: UInt64(Int.max))
                }
                let file = OpenedObject(try stores.open(reference))
                let first = try file.piece(Self.pieceBytes)
                let type = ContentKind.of(first[...], isWhole: size == first.count)
                return Source(size: size, sha256: reference.sha256, type: type, bytes: .file(file))
            }
        }
    }

    private func body(_ source: Source, _ range: Range<Int>) async throws -> ResponseBody {
        let file: OpenedObject
        switch source.bytes {
        case .inline(let bytes): return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes[range]))
        case .file(let opened): file = opened
        }
        let places = places
        return ResponseBody(contentLength: range.count) { writer in
            try await places.use { _ in try file.seek(to: range.lowerBound) }
            var left = range.count
            while left > 0 {
                // It may grow under our hands: its checked size is the bound.
                let count = min(left, Self.pieceBytes)
                let piece = try await places.use { _ in try file.piece(count) }
                // A length was promised; a file that was cut meanwhile ends the connection.
                guard !piece.isEmpty else {
                    throw ObjectError.size(
                        expected: UInt64(range.upperBound), found: UInt64(range.upperBound - left))
                }
                try await writer.write(ByteBuffer(bytes: piece))
                left -= piece.count
            }
            try await writer.finish(nil)
        }
    }
}

/// An object that is being read, by one thread at a time.
private final class OpenedObject: Sendable {
    private let file: StatexObjects.FileDescriptor

    init(_ file: consuming StatexObjects.FileDescriptor) { self.file = file }

    func seek(to offset: Int) throws(ObjectError) { try file.seek(to: UInt64(offset)) }

    /// The next bytes, at most so many; none: it is at its end.
    func piece(_ limit: Int) throws(ObjectError) -> [UInt8] {
        var failure: ObjectError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(ObjectError) {
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

extension HTTPField.Name {
    // A constant that is a valid name: the initializer gives nil for others only.
    static let reprDigest = HTTPField.Name("Repr-Digest")!
}
