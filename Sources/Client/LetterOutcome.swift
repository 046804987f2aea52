import StatexProtocol

extension OrderSender {
    /// What came of an order about dead letters.
    package struct LetterOutcome: Sendable {
        private let action: OrderAction
        /// What each order was answered, if in words.
        package private(set) var messages: [String] = []
        /// Why there was no room for some of those that were named last.
        package private(set) var shortfall: String?
        /// Those that were not reached by orders that had room for all.
        private var left = 0

        init(_ action: OrderAction) { self.action = action }

        /// An order was given until it reached nothing more.
        /// - Parameter count: of the letters that it named.
        mutating func add(_ count: Int, reached: Int, first: OrderReply, last: OrderReply) {
            if !first.message.isEmpty { messages.append(first.message) }
            guard reached < count else { return }
            if let refusal = Self.refusal(in: last.message) { shortfall = refusal } else { left += count - reached }
        }

        /// A retry is answered `as ID, ID; 2 left: …`, without what does not apply.
        private static func refusal(in message: String) -> String? {
            guard message.hasPrefix("as ") else { return message.isEmpty ? nil : message }
            return message.firstRange(of: "; ").map { String(message[$0.upperBound...]) }
        }

        /// Of those that were not reached without a word how many they are, and why that may be: nobody had retried or
        /// dropped them when they were looked up.
        package var unexplained: String? {
            guard left > 0 else { return nil }
            let reason = action == .retry ? "what they wait for has not succeeded, or " : ""
            return "\(left) left: \(reason)somebody retried or dropped them meanwhile"
        }
    }
}
