/// What a peer connects with: its own key, and the keys of the scheduler that it believes.
///
/// The files are read again for each connection, so a key is exchanged without a restart. Of a scheduler's two keys the
/// next is tried after a connection that led to no session.
package struct PeerKeys: Sendable {
    package struct Credentials: Sendable {
        package let own: KeyPair
        package let scheduler: CurveKey
    }

    /// Where they are.
    package let own: String
    package let scheduler: String
    private var place = 0
    private var wasWelcomed = true

    /// - Parameters:
    ///   - own: the path of NAME.key.
    ///   - scheduler: the path of the scheduler's public key.
    package init(own: String, scheduler: String) {
        self.own = own
        self.scheduler = scheduler
    }

    /// nil: neither is given. One without the other is an error.
    package init?(own: String?, scheduler: String?) throws(KeyError) {
        switch (own, scheduler) {
        case (let own?, let scheduler?): self.init(own: own, scheduler: scheduler)
        case (nil, nil): return nil
        case (_?, nil): throw KeyError("a key of one's own goes with the scheduler's public key, which is not given")
        case (nil, _?): throw KeyError("the scheduler's public key goes with a key of one's own, which is not given")
        }
    }

    /// Whether the files can be read now.
    package func check() throws(KeyError) {
        var copy = self
        _ = try copy.next()
    }

    /// For the next connection.
    package mutating func next() throws(KeyError) -> Credentials {
        let own = try KeyFile.readSecret(own).pair
        let known = try KeyFile.readPublic(scheduler).publicKeys
        if !wasWelcomed { place += 1 }
        wasWelcomed = false
        place %= known.count
        return Credentials(own: own, scheduler: known[place])
    }

    /// The scheduler answered: its key is this one.
    package mutating func welcomed() { wasWelcomed = true }
}
