import StatexProtocol

/// What the handler of a simulated job does: it stands in the payload.
struct Work: Equatable {
    enum Behaviour: UInt8, CaseIterable {
        case succeeds
        /// Fails in a way that is retried, for ever.
        case fails
        case failsForGood
        /// Succeeds at the second attempt.
        case failsOnce
        /// Takes its worker with it, every time.
        case kills
        /// Never ends by itself; ends soon after it is told to stop.
        case hangs
        /// Does not react to being told to stop.
        case ignoresStops
    }

    /// What it says while it runs.
    struct Talk: OptionSet {
        let rawValue: UInt8
        static let reports = Talk(rawValue: 1)
        static let checkpoints = Talk(rawValue: 2)
    }

    var behaviour: Behaviour
    var milliseconds: UInt32
    var talk: Talk = []

    var payload: [UInt8] {
        var buffer = ByteBuffer(capacity: 64)
        buffer.append(behaviour.rawValue)
        buffer.append(milliseconds)
        buffer.append(talk.rawValue)
        return buffer.array()
    }

    /// What a job of it succeeds with; some have none.
    func result(of job: UInt64) -> [UInt8] {
        guard milliseconds % 2 == 1 else { return [] }
        return payload + withUnsafeBytes(of: job.littleEndian) { Array($0) }
    }

    init(_ behaviour: Behaviour, milliseconds: UInt32) {
        self.behaviour = behaviour
        self.milliseconds = milliseconds
    }

    init?(_ payload: [UInt8]) {
        guard payload.count == 6, let behaviour = Behaviour(rawValue: payload[0]) else { return nil }
        self.behaviour = behaviour
        milliseconds = payload.span.bytes.integer(UInt32.self, at: 1)
        talk = Talk(rawValue: payload[5])
    }
}
