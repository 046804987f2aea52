import Synchronization

/// How many streams a subject holds at once.
final class StreamSeats: Sendable {
    private let taken = Mutex<[String: Int]>([:])
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// All that are taken.
    var count: Int { taken.withLock { $0.values.reduce(0, +) } }

    /// One stream's; letting go of it frees it.
    final class Seat: Sendable {
        private let subject: String
        private let seats: StreamSeats

        fileprivate init(_ subject: String, of seats: StreamSeats) {
            self.subject = subject
            self.seats = seats
        }

        deinit { seats.free(subject) }
    }

    func take(_ subject: String) throws(Problem) -> Seat {
        let isFree = taken.withLock { taken in
            guard taken[subject, default: 0] < limit else { return false }
            taken[subject, default: 0] += 1
            return true
        }
        guard isFree else { throw .tooMany("\(subject) has \(limit) streams open, which is the limit", seconds: 5) }
        return Seat(subject, of: self)
    }

    private func free(_ subject: String) {
        taken.withLock { taken in
            let left = taken[subject, default: 1] - 1
            taken[subject] = left > 0 ? left : nil
        }
    }
}
