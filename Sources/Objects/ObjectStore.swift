/// Where inputs and results lie that are too large for a message.
///
/// `ObjectFolder` is one, a bucket of S3 (module `StatexS3`) another; `Stores` is all that are configured.
package protocol ObjectStore: Sendable {
    /// Begins an object of at most `limit` bytes. The same content may be stored any number of times, from any number
    /// of processes.
    func begin(limit: UInt64) throws(ObjectError) -> IncomingObject

    /// A descriptor to read the object from its beginning. Its size was checked; its sum was not.
    func open(_ reference: ObjectReference) throws(ObjectError) -> FileDescriptor

    /// The bytes of a part, which lies inside of the object, without what is around it. The object's size was checked;
    /// of a part there is no sum.
    func part(_ range: Range<UInt64>, of reference: ObjectReference) throws(ObjectError) -> [UInt8]
}

extension ObjectStore {
    /// Stores `bytes` durably: when it returns, they survive a power cut.
    package func put(_ bytes: [UInt8]) throws(ObjectError) -> ObjectReference {
        let object = try begin(limit: ObjectReference.maximumSize)
        try bytes.withUnsafeBufferPointer { bytes throws(ObjectError) in try object.write(UnsafeRawBufferPointer(bytes))
        }
        return try object.finish()
    }

    /// Stores what is left to read in `file` durably, up to `limit` bytes.
    package func put(copying file: borrowing FileDescriptor, limit: UInt64) throws(ObjectError) -> ObjectReference {
        let object = try begin(limit: limit)
        try file.readPieces { piece throws(ObjectError) in try object.write(piece) }
        return try object.finish()
    }

    /// Stores a regular file that the user of this process named. A larger one is refused before anything is copied.
    package func put(copyingFile path: String, limit: UInt64) throws(ObjectError) -> ObjectReference {
        let file = try FileDescriptor.open(path, Flags.read)
        let size = try file.regularFileSize()
        guard size <= limit else { throw .tooLarge(size: size, limit: limit) }
        // It may grow under our hands: the limit holds for the copy too.
        return try put(copying: file, limit: limit)
    }

    /// The object's bytes, their size and sum checked.
    package func read(_ reference: ObjectReference, limit: Int) throws(ObjectError) -> [UInt8] {
        guard let size = Int(exactly: reference.size), size <= limit else {
            throw .tooLarge(size: reference.size, limit: UInt64(clamping: limit))
        }
        let file = try open(reference)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        try file.readPieces { piece throws(ObjectError) in
            // It may grow under our hands: its checked size is the bound.
            guard piece.count <= size - bytes.count else {
                throw .size(expected: reference.size, found: reference.size + 1)
            }
            bytes.append(contentsOf: piece)
        }
        guard bytes.count == size else { throw .size(expected: reference.size, found: UInt64(bytes.count)) }
        let found = try SHA256.digest(of: bytes)
        guard found == reference.sha256 else { throw .checksum(expected: reference.sha256, found: found) }
        return bytes
    }

    /// Reads the whole object and checks its size and sum.
    package func verify(_ reference: ObjectReference) throws(ObjectError) {
        let (digest, size) = try SHA256.digest(ofFile: open(reference))
        guard size == reference.size else { throw .size(expected: reference.size, found: size) }
        guard digest == reference.sha256 else { throw .checksum(expected: reference.sha256, found: digest) }
    }
}
