import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import StatexObjects
import StatexProtocol
import StatexReads

/// Answers contents, or parts of them: inline ones at once, objects in pieces as they are read, no faster than they are
/// taken, and never held in memory. Of an object in S3 the whole is fetched and its sum checked before the first byte is
/// sent; of a part, that part alone is asked for.
struct ObjectReader: Sendable {
    let places: ObjectPlaces

    /// What is read of a file at once, and what a type is told by.
    private static let pieceBytes = 64 << 10
    /// What is asked of a store at once when a part is wanted: each costs it a request.
    private static let partBytes = 256 << 10

    /// - Parameters:
    ///   - name: what it is called where somebody saves it.
    ///   - settle: returns when what was written has come to the connection.
    func response(
        _ content: Content, called name: String, to request: Request,
        settle: @escaping @Sendable () async throws -> Void
    ) async throws -> Response {
        let subject: Subject
        do throws(ObjectError) { subject = try Subject(content) } catch { throw Problem(error) }
        let tag = "\"\(subject.sha256)\""
        // Of other methods nothing says what a range means.
        let range = request.method == .get ? ByteRange(request.headers, size: subject.size, tag: tag) : .whole
        let part: Range<Int>
        switch range {
        case .whole: part = 0..<subject.size
        case .part(let wanted): part = wanted
        case .none: throw Problem.noSuchRange(size: subject.size)
        }
        // The answer to HEAD ends with its head.
        let source = try await source(subject, isWhole: request.method == .get && range == .whole)
        var headers: HTTPFields = [
            .contentType: source.type, .contentDisposition: "attachment; filename=\"\(name)\"", .acceptRanges: "bytes",
            .eTag: tag, .reprDigest: "sha-256=:\(Data(subject.sha256.bytes).base64EncodedString()):",
        ]
        if range != .whole {
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(subject.size)"
        }
        return Response(
            status: range == .whole ? .ok : .partialContent, headers: headers,
            body: body(source.bytes, part, settle))
    }

    /// What is asked for.
    private enum Subject {
        case inline([UInt8], SHA256Digest)
        case object(ObjectReference, size: Int)

        init(_ content: Content) throws(ObjectError) {
            switch content.encoding {
            case .bytes: self = .inline(content.bytes, try SHA256.digest(of: content.bytes))
            case .object:
                let reference = try ObjectReference(text: content.bytes)
                guard let size = Int(exactly: reference.size) else {
                    throw .tooLarge(size: reference.size, limit: UInt64(Int.max))
                }
                self = .object(reference, size: size)
            }
        }

        var size: Int {
            switch self {
            case .inline(let bytes, _): bytes.count
            case .object(_, let size): size
            }
        }

        var sha256: SHA256Digest {
            switch self {
            case .inline(_, let digest): digest
            case .object(let reference, _): reference.sha256
            }
        }
    }

    /// Where its bytes come from.
    private enum Bytes {
        case inline([UInt8])
        case file(OpenedObject)
        /// They are asked for when they are wanted; the first are here.
        case parts(ObjectReference, first: [UInt8])
    }

    private func source(_ subject: Subject, isWhole: Bool) async throws -> (bytes: Bytes, type: String) {
        switch subject {
        case .inline(let bytes, _): return (.inline(bytes), ContentKind.of(bytes[...], isWhole: true))
        case .object(let reference, let size):
            return try await places.use { stores in
                let count = min(size, Self.pieceBytes)
                let (bytes, first): (Bytes, [UInt8])
                if isWhole {
                    let file = OpenedObject(try stores.open(reference))
                    first = try file.read(count)
                    bytes = .file(file)
                } else {
                    first = try stores.part(0..<UInt64(count), of: reference)
                    bytes = .parts(reference, first: first)
                }
                return (bytes, ContentKind.of(first[...], isWhole: size == first.count))
            }
        }
    }

    private func body(
        _ bytes: Bytes, _ range: Range<Int>, _ settle: @escaping @Sendable () async throws -> Void
    ) -> ResponseBody {
        switch bytes {
        case .inline(let bytes): return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes[range]))
        case .file(let file):
            return pieces(of: range, Self.pieceBytes, settle) { piece, _ in
                if piece.lowerBound == 0 { try file.rewind() }
                return try file.read(piece.count)
            }
        case .parts(let reference, let first):
            return pieces(of: range, Self.partBytes, settle) { piece, stores in
                if first.indices.contains(piece.lowerBound) {
                    return Array(first[piece.lowerBound..<min(piece.upperBound, first.count)])
                }
                return try stores.part(UInt64(piece.lowerBound)..<UInt64(piece.upperBound), of: reference)
            }
        }
    }

    /// - Parameter read: gives the bytes of such a piece, or its first.
    private func pieces(
        of range: Range<Int>, _ most: Int, _ settle: @escaping @Sendable () async throws -> Void,
        _ read: @escaping @Sendable (Range<Int>, Stores) throws -> [UInt8]
    ) -> ResponseBody {
        let places = places
        return ResponseBody(contentLength: range.count) { writer in
            var next = range.lowerBound
            while next < range.upperBound {
                let piece = next..<min(next + most, range.upperBound)
                let bytes = try await places.use { stores in try read(piece, stores) }
                // A length was promised; a file that was cut meanwhile ends the connection.
                guard !bytes.isEmpty else {
                    throw ObjectError.size(expected: UInt64(range.upperBound), found: UInt64(next))
                }
                try await writer.write(ByteBuffer(bytes: bytes))
                try await settle()
                next += bytes.count
            }
            try await writer.finish(nil)
        }
    }
}

/// An object that is being read, by one thread at a time.
private final class OpenedObject: Sendable {
    private let file: StatexObjects.FileDescriptor

    init(_ file: consuming StatexObjects.FileDescriptor) { self.file = file }

    func rewind() throws(ObjectError) { try file.rewind() }
    func read(_ count: Int) throws(ObjectError) -> [UInt8] { try file.read(count) }
}

extension HTTPField.Name {
    // A constant that is a valid name: the initializer gives nil for others only.
    static let reprDigest = HTTPField.Name("Repr-Digest")!
}
