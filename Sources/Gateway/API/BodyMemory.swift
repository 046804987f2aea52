import Synchronization

/// Bytes of bodies that are in memory: in all, and of each subject. What is kept of files is not among them.
///
/// What has arrived is counted, never what is announced: who says that much will come, and sends little, takes no room
/// from others. A subject has a quarter at most, and no more than it leaves free: so some who take what they get leave
/// room for the next one. What a body begins with is free, and bounded by the connections; small ones always pass.
final class BodyMemory: Sendable {
    private struct Counts {
        var all = 0
        var subjects: [String: Int] = [:]
    }

    let bytes: Int
    let bytesOfSubject: Int
    private let counts = Mutex(Counts())
    fileprivate let large = LargeBodies()

    /// - Parameter largest: body that there may be; four of these always have room.
    init(bytes: Int, largest: Int) {
        self.bytes = max(bytes, 4 * largest)
        bytesOfSubject = self.bytes / 4
    }

    /// What a call of the subject has of it.
    func share(of subject: String) -> BodyShare { BodyShare(self, subject) }

    /// What is counted.
    var count: Int { counts.withLock { $0.all } }

    fileprivate func take(_ more: Int, of subject: String) throws(Problem) {
        try counts.withLock { counts throws(Problem) in
            try check(more, of: subject, counts)
            counts.all += more
            counts.subjects[subject, default: 0] += more
        }
    }

    fileprivate func check(_ more: Int, of subject: String) throws(Problem) {
        try counts.withLock { counts throws(Problem) in try check(more, of: subject, counts) }
    }

    private func check(_ more: Int, of subject: String, _ counts: Counts) throws(Problem) {
        let own = counts.subjects[subject, default: 0]
        guard own + more <= bytesOfSubject else {
            throw .tooMany(
                "\(subject) has bodies of \(own) bytes under way; with this one they were more than \(bytesOfSubject), which is the limit",
                seconds: 1)
        }
        guard own + more <= bytes - counts.all - more else {
            throw .unavailable("bodies of \(counts.all) bytes are under way", code: "busy")
        }
    }

    fileprivate func giveBack(_ count: Int, of subject: String) {
        counts.withLock { counts in
            counts.all -= count
            let left = counts.subjects[subject, default: 0] - count
            counts.subjects[subject] = left > 0 ? left : nil
        }
    }
}

/// What one call has of the memory for bodies, from the first byte of its body until it is answered: what was read of it
/// is kept for as long.
final class BodyShare: Sendable {
    let subject: String
    private let memory: BodyMemory
    private let arrived = Mutex(0)

    fileprivate init(_ memory: BodyMemory, _ subject: String) {
        self.memory = memory
        self.subject = subject
    }

    /// Refuses a body for which there is no room now, before it is sent in vain. Takes nothing.
    func check(announced length: Int) throws(Problem) {
        let counted = Self.counted(length)
        guard counted > 0 else { return }
        try memory.check(counted, of: subject)
    }

    /// So many more bytes have arrived.
    func take(_ count: Int) throws(Problem) {
        try arrived.withLock { arrived throws(Problem) in
            let more = Self.counted(arrived + count) - Self.counted(arrived)
            if more > 0 { try memory.take(more, of: subject) }
            arrived += count
        }
    }

    /// All of it, when the call is answered.
    func giveBack() {
        let counted = arrived.withLock { arrived in
            defer { arrived = 0 }
            return Self.counted(arrived)
        }
        if counted > 0 { memory.giveBack(counted, of: subject) }
    }

    private static func counted(_ bytes: Int) -> Int { max(0, bytes - GatewayLimits.bodyFreeBytes) }

    /// - Parameter name: what it is to the sender.
    func decode<Value: Decodable & Sendable>(
        _ type: Value.Type, from bytes: [UInt8], called name: String = "the body"
    ) async throws -> Value {
        guard bytes.count > GatewayLimits.bodyReadAlone else {
            return try Body.decode(type, from: bytes, called: name)
        }
        return try await memory.large.decode(type, from: bytes, called: name)
    }
}

/// Reads large bodies one after the other. While it is read, JSON that is made for it takes more than ten times what it
/// has, so what all threads together would need is not for one request to choose.
private actor LargeBodies {
    func decode<Value: Decodable & Sendable>(
        _ type: Value.Type, from bytes: [UInt8], called name: String
    ) throws -> Value {
        try Body.decode(type, from: bytes, called: name)
    }
}
