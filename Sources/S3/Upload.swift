import AsyncHTTPClient
import Glibc
import NIOCore
import StatexObjects

/// A body to be sent: so many bytes from the beginning of a file.
struct Upload {
    let descriptor: Int32
    let size: UInt64
}

/// One that is under way.
struct Sending {
    private let upload: Upload
    private let writer: HTTPClient.Body.StreamWriter
    /// Kept once.
    private var promise: EventLoopPromise<Void>?
    private var sent: UInt64 = 0

    private static let pieceSize = 256 << 10

    init(_ upload: Upload, _ writer: HTTPClient.Body.StreamWriter, _ promise: EventLoopPromise<Void>) {
        self.upload = upload
        self.writer = writer
        self.promise = promise
    }

    var isUnderWay: Bool { promise != nil }

    /// Sends the next piece, or ends the body.
    mutating func go(on exchange: Exchange) throws(ObjectError) {
        guard promise != nil else { return }
        guard sent < upload.size else { return end(nil) }
        let count = Int(min(upload.size - sent, UInt64(Self.pieceSize)))
        var piece = ByteBufferAllocator().buffer(capacity: count)
        var number: Int32 = 0
        let read = piece.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            let read = pread(upload.descriptor, target.baseAddress, count, off_t(clamping: sent))
            number = errno
            return max(0, read)
        }
        guard read > 0 else { throw .system("reading a temporary file", number) }
        sent += UInt64(read)
        exchange.write(piece, to: writer)
    }

    mutating func end(_ error: (any Error)?) {
        if let error { promise?.fail(error) } else { promise?.succeed() }
        promise = nil
    }
}
