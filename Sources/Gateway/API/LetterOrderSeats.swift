import Synchronization

/// How many orders about dead letters are under way, in all and of one subject: some take an hour, and nobody stops them.
final class LetterOrderSeats: Sendable {
    private let taken = Mutex<[String: Int]>([:])

    func take(_ subject: String) throws(Problem) {
        try taken.withLock { taken throws(Problem) in
            let own = taken[subject, default: 0]
            guard own < GatewayLimits.letterOrdersOfSubject else {
                throw .tooMany(
                    "\(subject) has \(own) orders about dead letters under way, which is the limit; wait for one",
                    seconds: 10)
            }
            guard taken.values.reduce(0, +) < GatewayLimits.letterOrders else {
                throw .unavailable("as many orders as may are under way", code: "busy", seconds: 10)
            }
            taken[subject] = own + 1
        }
    }

    func free(_ subject: String) {
        taken.withLock { taken in
            let left = taken[subject, default: 1] - 1
            taken[subject] = left > 0 ? left : nil
        }
    }
}
