import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import StatexClient
import StatexObjects
import StatexProtocol
import StatexReads
import StatexS3
import Synchronization

/// Answers contents: inline ones at once, objects in pieces as they are read, never held in memory.
final class ObjectReader: Sendable {
    private let locations: [String]
    private let s3: S3Access
    private let opened = Mutex<Stores?>(nil)

    /// What is read from a file at once.
    private static let pieceBytes = 64 << 10

    init(_ locations: [String], _ s3: S3Access) {
        self.locations = locations
        self.s3 = s3
    }

    func response(_ content: Content) async throws -> Response {
        switch content.encoding {
        case .bytes:
            let type = ContentKind.of(content.bytes[...], isWhole: true)
            return Response(body: content.bytes, type: type)
        case .object: return try await stream(content.bytes)
        }
    }

    private func stream(_ reference: [UInt8]) async throws -> Response {
        let file = try await onThread { try self.open(reference) }
        let first = try await onThread { try file.piece() }
        let size = file.size
        let type = ContentKind.of(first[...], isWhole: size == first.count)
        let body = ResponseBody(contentLength: size) { writer in
            var piece = first
            var left = size
            while !piece.isEmpty, left > 0 {
                // It may grow under our hands: its checked size is the bound.
                try await writer.write(NIOCore.ByteBuffer(bytes: piece.prefix(left)))
                left -= min(left, piece.count)
                piece = try await self.onThread { try file.piece() }
            }
            // A length was promised; a file that was cut meanwhile ends the connection.
            guard left == 0 else { throw ObjectError.size(expected: UInt64(size), found: UInt64(size - left)) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: type], body: body)
    }

    private func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        do {
            return try await NIOThreadPool.singleton.runIfActive(work)
        } catch let error as ObjectError {
            throw Problem(error)
        }
    }

    private func open(_ bytes: [UInt8]) throws(ObjectError) -> OpenedObject {
        let reference = try ObjectReference(text: bytes)
        let stores = try stores()
        guard let size = Int(exactly: reference.size) else {
            throw .tooLarge(size: reference.size, limit: UInt64(Int.max))
        }
        return OpenedObject(try stores.open(reference), size: size, pieceBytes: Self.pieceBytes)
    }

    private func stores() throws(ObjectError) -> Stores {
        try opened.withLock { opened throws(ObjectError) in
            if let opened { return opened }
            guard let stores = try Stores.open(locations, S3Settings(s3)) else {
                throw .path("no place for objects is configured")
            }
            opened = stores
            return stores
        }
    }
}

/// An object that is being read, by one thread at a time.
private final class OpenedObject: Sendable {
    let size: Int
    private let file: StatexObjects.FileDescriptor
    private let pieceBytes: Int

    init(_ file: consuming StatexObjects.FileDescriptor, size: Int, pieceBytes: Int) {
        self.file = file
        self.size = size
        self.pieceBytes = pieceBytes
    }

    /// The next bytes; none: it is at its end.
    func piece() throws(ObjectError) -> [UInt8] {
        var failure: ObjectError?
        let bytes = [UInt8](unsafeUninitializedCapacity: pieceBytes) { buffer, count in
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

/// What the bytes of a result are: only types that no browser runs.
enum ContentKind {
    static let json = "application/json"
    static let text = "text/plain; charset=utf-8"
    static let bytes = "application/octet-stream"

    /// - Parameter isWhole: whether `bytes` are all of them; else they are the first.
    static func of(_ bytes: ArraySlice<UInt8>, isWhole: Bool) -> String {
        // A first piece may end inside a character, of which it has up to three bytes.
        let isText = (0...(isWhole ? 0 : 3)).contains { cut in
            bytes.count >= cut && String(validating: bytes.dropLast(cut), as: UTF8.self) != nil
        }
        guard isText, !bytes.contains(0) else { return self.bytes }
        guard let first = bytes.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return text }
        guard isWhole else { return json }
        return isJSON(Array(bytes)) ? json : text
    }

    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        // The strict reader reads objects; a list stands in one.
        let whole = bytes.first == UInt8(ascii: "{") ? bytes : Array(#"{"a":"#.utf8) + bytes + Array("}".utf8)
        return (try? JSONObject(whole)) != nil
    }
}
