import StatexProtocol

/// How a session begins, is kept alive and ends.
extension ClientCore {
    mutating func greet(at now: Int64) {
        link = .greeting(until: now + Self.leastSilence)
        control.removeAll()
        var hello = Hello(role: .client, incarnation: settings.incarnation, name: settings.name)
        hello.journal = current.incarnation
        hello.producer = settings.producer
        var buffer = ByteBuffer(capacity: 256)
        hello.write(to: &buffer)
        control.append(buffer.array())
    }

    /// The socket failed, or could not be opened.
    package mutating func socketFailed(_ reason: String, at now: Int64) {
        guard wantsSocket else { return }
        lose(reason, at: now, wait: reconnect.next())
    }

    /// Ends the session; the next socket is opened after `wait`.
    mutating func lose(_ reason: String, at now: Int64, wait: Int64) {
        trouble = reason
        link = .down(until: now + wait)
        control.removeAll()
        repeatAt = nil
        postponed.removeAll()
    }

    mutating func welcomed(_ welcome: Welcome, at now: Int64) {
        guard case .greeting = link else {
            dropped += 1
            return
        }
        guard isNew(welcome.stamp) else {
            // Whoever says so was replaced: it may not act any more, and nobody listens to it.
            dropped += 1
            return lose("the scheduler there belongs to the past", at: now, wait: reconnect.next())
        }
        if welcome.stamp.incarnation != current.incarnation && current.incarnation != 0 {
            left.append(current.incarnation)
            if left.count > Self.mostLeft { left.removeFirst() }
        }
        current = welcome.stamp
        let heartbeat = min(Int64(welcome.heartbeatMilliseconds), Self.mostHeartbeat)
        link = .up(welcome.stamp, heartbeat: heartbeat, silence: max(3 * heartbeat, Self.leastSilence))
        lastHeard = now
        lastSent = now
        reconnect.reset()
        pausedUntil = now
        probe = .none
        window.skip(through: welcome.lastSequence)
        window.sendAllAgain()
        askAllAgain()
        for asker in connecting { complete(asker.ticket, .connected) }
        connecting = []
    }

    /// The scheduler knows nothing of what was asked and not answered.
    mutating func askAllAgain() {
        questions.sendAllAgain()
        postponed.removeAll()
        orders.sendAllAgain()
        forEachCounter { $0.sessionEnded() }
    }

    /// An epoch never falls inside an incarnation, and an incarnation that was left is not gone back to.
    private func isNew(_ stamp: SessionStamp) -> Bool {
        guard stamp.incarnation == current.incarnation else { return !left.contains(stamp.incarnation) }
        return stamp.epoch >= current.epoch
    }

    mutating func faulted(_ fault: Fault, at now: Int64) {
        let error = ClientError.refused(code: fault.code, fault.message)
        switch (WireError.Code(rawValue: fault.code), link) {
        case (_, .down), (_, .closed): break
        case (.session, _): lose("the scheduler does not know this session", at: now, wait: reconnect.next())
        case (.busy, .up):
            let wait = busy.next(asked: Int64(fault.retryAfterMilliseconds))
            pausedUntil = now + wait
            repeatAt = now + wait
        case (.busy, .greeting):
            lose(fault.message, at: now, wait: reconnect.next(asked: Int64(fault.retryAfterMilliseconds)))
        case (.superseded, _), (.stale, _): lose(fault.message, at: now, wait: reconnect.next())
        case (_, .greeting):
            // Refused for what this program is: trying on is for whoever runs it to decide.
            for asker in connecting { complete(asker.ticket, .failed(error)) }
            connecting = []
            lose(fault.message, at: now, wait: reconnect.next())
        case (_, .up):
            // A message of this client was not understood, and it is not said which: none of what is
            // under way can be trusted to be answered.
            drop(error) { _, _ in true }
            lose(fault.message, at: now, wait: reconnect.next())
        }
    }

    mutating func sendBare(_ type: MessageType, _ stamp: SessionStamp) {
        var buffer = ByteBuffer(capacity: 64)
        Bare.write(type, stamp: stamp, to: &buffer)
        control.append(buffer.array())
    }
}
