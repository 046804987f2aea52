import Glibc
import Synchronization

/// An object that is being written, piece by piece, by one thread at a time. It is not there before `finish`; one that
/// is let go of before that leaves nothing.
package final class IncomingObject: Sendable {
    /// What was written, before it is an object.
    package struct Written: ~Copyable {
        package let file: FileDescriptor
        package let size: UInt64
        package let sha256: SHA256Digest
    }

    private let content: Mutex<MeasuredFile?>
    private let keep: @Sendable (borrowing Written) throws(ObjectError) -> ObjectReference
    private let discard: @Sendable () -> Void

    /// - Parameter keep: makes an object of what was written, durably.
    /// - Parameter discard: called in the end, whether it was kept or not.
    package init(
        _ file: consuming FileDescriptor, limit: UInt64,
        keep: @escaping @Sendable (borrowing Written) throws(ObjectError) -> ObjectReference,
        discard: @escaping @Sendable () -> Void = {}
    ) throws(ObjectError) {
        content = Mutex(try MeasuredFile(file, limit: limit))
        self.keep = keep
        self.discard = discard
    }

    deinit { discard() }

    /// - Throws: `tooLarge` beyond the limit that it was begun with. After an error it is of no use.
    package func write(_ piece: UnsafeRawBufferPointer) throws(ObjectError) {
        try content.withLock { content throws(ObjectError) in
            guard var file = content.take() else { throw .system("writing an object that has ended", EBADF) }
            try file.write(piece)
            content = consume file
        }
    }

    /// Stores it durably: when it returns, it survives a power cut.
    package func finish() throws(ObjectError) -> ObjectReference {
        guard let file = content.withLock({ $0.take() }) else {
            throw .system("storing an object that has ended", EBADF)
        }
        return try keep(try file.finish())
    }
}

/// A file that is measured and hashed while it is written.
// Sendable, because it owns what it consists of (a descriptor, the context of a hash), and cannot be copied: one thread
// at a time has it.
private struct MeasuredFile: ~Copyable, @unchecked Sendable {
    private let file: FileDescriptor
    private var hash: SHA256
    private var size: UInt64 = 0
    private let limit: UInt64

    init(_ file: consuming FileDescriptor, limit: UInt64) throws(ObjectError) {
        hash = try SHA256()
        self.file = file
        self.limit = limit
    }

    mutating func write(_ piece: UnsafeRawBufferPointer) throws(ObjectError) {
        size += UInt64(piece.count)
        guard size <= limit else { throw .tooLarge(size: size, limit: limit) }
        try hash.update(piece)
        try file.write(piece)
    }

    consuming func finish() throws(ObjectError) -> IncomingObject.Written {
        let digest = try hash.finish()
        return IncomingObject.Written(file: file, size: size, sha256: digest)
    }
}
