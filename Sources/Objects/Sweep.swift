// Which objects may go, and the round that lets them go.
//
// An object is put before the request that names it is submitted, and a put of what is there already counts as
// new (a file is replaced, a bucket's object copied onto itself). So what was put lately may be about to be
// named by a request that is on its way, whatever the journal says; and what was put long ago is needed exactly
// when the journal names it.

/// What may go: objects that were put long ago, less those that the journal names. Pure.
package struct SweepPlan {
    /// However short an operator keeps objects: a submit may be waiting for a scheduler that is away.
    package static let youth: Int64 = 86_400_000_000
    /// A round's memory: about 100 bytes for each.
    static let most = 100_000

    /// What was put after it stays.
    package let limit: Int64
    private var candidates: [SHA256Digest: StoredObject] = [:]

    /// - Parameter keeps: how long objects stay that nothing names, in microseconds; a day at least.
    package init(now: Int64, keeps: Int64) {
        limit = now - max(keeps, Self.youth)
    }

    package var isFull: Bool { candidates.count >= Self.most }
    package var isEmpty: Bool { candidates.isEmpty }

    package mutating func found(_ object: StoredObject) {
        if object.putAt <= limit { candidates[object.sha256] = object }
    }

    /// Takes away what a job's payload or result names: by its content, wherever it lies, and by its place.
    package mutating func named(_ reference: ObjectReference) {
        candidates[reference.sha256] = nil
        let name = reference.path.split(separator: "/").last ?? ""
        if let digest = SHA256Digest(hex: name) { candidates[digest] = nil }
    }

    /// The oldest first.
    package var goes: [StoredObject] {
        candidates.values.sorted { ($0.putAt, $0.sha256.hex) < ($1.putAt, $1.sha256.hex) }
    }
}

/// What a sweep removed from one place, or would.
package struct SweepReport: Sendable, Equatable, CustomStringConvertible {
    package var location: String
    /// Objects that are there, named by their content.
    package var objects = 0
    package var bytes: UInt64 = 0
    package var removed = 0
    package var removedBytes: UInt64 = 0

    package init(location: String) { self.location = location }

    package var description: String {
        "\(location): \(removed) of \(objects) objects removed, \(removedBytes) of \(bytes) bytes"
    }
}

extension ObjectPlace {
    /// Removes what may go, in rounds of bounded memory.
    /// - Parameter plan: an empty one, which says what was put long ago.
    /// - Parameter removing: whether to remove, or only to count.
    /// - Parameter forEachReference: calls back with the text of each reference in the journal, as the journal is at
    ///   that moment. Objects are listed before it is asked, and looked at again when they are removed.
    package func sweep(
        _ plan: SweepPlan, removing: Bool,
        forEachReference: (_ body: ([UInt8]) -> Void) throws(ObjectError) -> Void
    ) throws(ObjectError) -> SweepReport {
        var report = SweepReport(location: location)
        var round = plan
        func end() throws(ObjectError) {
            guard !round.isEmpty else { return }
            try forEachReference { text in
                // What cannot be read names nothing that could be opened.
                if let reference = try? ObjectReference(text: text) { round.named(reference) }
            }
            for object in round.goes {
                if removing, try !remove(object, unlessPutAfter: round.limit) { continue }
                report.removed += 1
                report.removedBytes += object.size
            }
            round = plan
        }
        try forEachObject { object throws(ObjectError) in
            report.objects += 1
            report.bytes += object.size
            round.found(object)
            if round.isFull { try end() }
        }
        try end()
        return report
    }
}
