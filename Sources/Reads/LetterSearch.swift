import StatexProtocol

/// How far one look for the dead letters of an order goes. It looks from the oldest on, so that orders in a row reach
/// each of them once.
package struct LetterSearch: Sendable {
    /// It begins behind this id.
    package var after: UInt64
    /// Letters that it finds at most.
    package var limit: Int
    /// When this is over it ends with what it has and says where to go on. It looks at one page at least, so that who
    /// goes on gets on.
    package var patience: Duration

    package init(after: UInt64 = 0, limit: Int, patience: Duration) {
        self.after = after
        self.limit = limit
        self.patience = patience
    }
}

/// Dead letters, oldest first, as far as they were looked for.
package struct FoundLetters: Sendable {
    package internal(set) var ids: [JobID] = []
    /// Behind which to go on; nil: these are all.
    package internal(set) var next: JobID?
}
