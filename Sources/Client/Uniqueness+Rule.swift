import StatexProtocol

extension Uniqueness {
    /// As the protocol has it; nil: the time is out of range.
    var rule: UniqueRule? {
        guard let time else { return UniqueRule(key: Array(key.utf8)) }
        let (seconds, attoseconds) = time.components
        guard attoseconds == 0, (1...Int64(Limits.uniqueSeconds)).contains(seconds) else { return nil }
        return UniqueRule(key: Array(key.utf8), seconds: UInt32(seconds))
    }

    func check() throws(ClientError) {
        guard (1...Limits.userKeyBytes).contains(key.utf8.count) else {
            throw .invalid(
                "unique key has \(key.utf8.count) bytes, it takes 1 to \(Limits.userKeyBytes); hash a longer one")
        }
        guard rule != nil else {
            let (seconds, attoseconds) = (time ?? .zero).components
            let said = "\(seconds) s" + (attoseconds == 0 ? "" : " and a part of one")
            throw .invalid("unique for \(said), it takes whole seconds, 1 to \(Limits.uniqueSeconds)")
        }
    }
}
