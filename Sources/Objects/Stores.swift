/// One folder or bucket: an object store that is a place of its own, which can be looked after.
package protocol ObjectPlace: ObjectStore {
    /// How references to its objects begin.
    var scheme: ObjectReference.Scheme { get }
    /// As the key `objects` names it.
    var location: String { get }

    /// Asks the place whether it can be used at all. Changes nothing.
    func check() throws(ObjectError)

    /// Calls `body` with each object that is named by its content. Others, which people put here, are not ours.
    func forEachObject(_ body: (StoredObject) throws(ObjectError) -> Void) throws(ObjectError)

    /// Removes an object unless it was put again after `limit` (microseconds since 1970).
    /// - Returns: whether it was removed.
    func remove(_ object: StoredObject, unlessPutAfter limit: Int64) throws(ObjectError) -> Bool
}

/// An object that is named by its content, as its place lists it.
package struct StoredObject: Hashable, Sendable {
    package let sha256: SHA256Digest
    package let size: UInt64
    /// When it was last put, in microseconds since 1970.
    package let putAt: Int64

    package init(sha256: SHA256Digest, size: UInt64, putAt: Int64) {
        self.sha256 = sha256
        self.size = size
        self.putAt = putAt
    }

    /// Where an object of this content lies, relative to the root.
    package var path: String { Self.path(of: sha256) }

    package static func path(of sha256: SHA256Digest) -> String {
        let name = sha256.hex
        return "\(name.prefix(2))/\(name)"
    }
}

/// All places that are configured. New objects go into the first; what a reference names is looked for in those
/// of its scheme, in order.
package struct Stores: ObjectStore {
    package let places: [any ObjectPlace]
    private let first: any ObjectPlace

    package init(_ first: any ObjectPlace, _ others: [any ObjectPlace] = []) {
        self.first = first
        places = [first] + others
    }

    package func begin(limit: UInt64) throws(ObjectError) -> IncomingObject { try first.begin(limit: limit) }

    package func open(_ reference: ObjectReference) throws(ObjectError) -> FileDescriptor {
        try inPlace(of: reference) { place throws(ObjectError) in try place.open(reference) }
    }

    package func part(_ range: Range<UInt64>, of reference: ObjectReference) throws(ObjectError) -> [UInt8] {
        try inPlace(of: reference) { place throws(ObjectError) in try place.part(range, of: reference) }
    }

    private func inPlace<T: ~Copyable>(
        of reference: ObjectReference, _ look: (any ObjectPlace) throws(ObjectError) -> T
    ) throws(ObjectError) -> T {
        var missing: ObjectError?
        for place in places where place.scheme == reference.scheme {
            do throws(ObjectError) { return try look(place) } catch .notFound(let path) {
                missing = missing ?? .notFound(path)
            }
        }
        if let missing { throw missing }
        throw .reference(
            reference.scheme == .s3
                ? "it lies in a bucket, and none is configured here; add s3://BUCKET to the key `objects`"
                : "it lies in a folder, and none is configured here; add the folder to the key `objects`")
    }
}
