import StatexProtocol

/// The submits that are not answered yet, in the order of their sequences, and those that wait for room.
struct SubmitWindow {
    let maximumBytes: Int
    let maximumRequests: Int

    private var submissions = Fifo<Submission>()
    private var waiting = Fifo<Submission>()
    /// First sequences of what is to be sent (again), in order.
    private var toSend = Fifo<UInt64>()
    private var bytes = 0
    private var requests = 0
    private(set) var nextSequence: UInt64 = 1

    init(maximumBytes: Int, maximumRequests: Int) {
        self.maximumBytes = maximumBytes
        self.maximumRequests = min(maximumRequests, Limits.producerWindow)
    }

    var isEmpty: Bool { submissions.isEmpty && waiting.isEmpty }
    var hasUnsent: Bool { !toSend.isEmpty }

    mutating func add(_ submission: Submission) {
        waiting.append(submission)
        admit()
    }

    /// The journal knows sequences of this producer up to `last`: they are not used again.
    mutating func skip(through last: UInt64) {
        if nextSequence <= last && last < 1 << 61 { nextSequence = last + 1 }
    }

    /// Gives a sequence to what has room.
    private mutating func admit() {
        while let next = waiting.first {
            let fits = bytes + next.message.count <= maximumBytes && requests + next.requests <= maximumRequests
            // What the scheduler remembers counts from the oldest that is not answered.
            let oldest = submissions.first?.firstSequence ?? nextSequence
            let isRemembered =
                nextSequence - oldest + UInt64(next.requests) <= UInt64(Limits.producerWindow)
            guard submissions.isEmpty || (fits && isRemembered), var submission = waiting.removeFirst() else { return }
            submission.firstSequence = nextSequence
            submission.isQueued = true
            SubmitMessage.setFirstSequence(nextSequence, in: &submission.message)
            nextSequence += UInt64(submission.requests)
            bytes += submission.message.count
            requests += submission.requests
            toSend.append(submission.firstSequence)
            submissions.append(submission)
        }
    }

    /// Hands the next message to be sent to `body`, stamped; it counts as sent if that returns true.
    /// - Returns: false if there is none, or it was not sent.
    mutating func sendNext(stamp: SessionStamp, _ body: (borrowing RawSpan) -> Bool) -> Bool {
        while let sequence = toSend.first {
            guard let place = place(of: sequence), !submissions[place].isDone else {
                toSend.removeFirst()
                continue
            }
            SubmitMessage.setStamp(stamp, in: &submissions[place].message)
            let message = submissions[place].message
            guard body(message.span.bytes) else { return false }
            submissions[place].sent()
            toSend.removeFirst()
            return true
        }
        return false
    }

    /// A new session: everything unanswered is sent again, as it was.
    mutating func sendAllAgain() {
        toSend.removeAll()
        for place in 0..<submissions.count where !submissions[place].isDone {
            submissions[place].sendAgain()
            toSend.append(submissions[place].firstSequence)
        }
    }

    /// Calls `body` for each part of `sequences` that was unanswered. What is done then is handed to `done`.
    mutating func answer(
        _ sequences: Range<UInt64>, _ body: (inout Submission, Range<UInt64>) -> Void, done: (Submission) -> Void
    ) {
        forEach(in: sequences) { submission, part in
            guard !submission.isDone else { return }
            submission.answer(part, body)
            if submission.isDone {
                done(submission)
                submission.message = []
            }
        }
    }

    /// The scheduler puts off `sequences`: their messages are sent again.
    mutating func postpone(_ sequences: Range<UInt64>, why: String) {
        var again: [UInt64] = []
        forEach(in: sequences) { submission, _ in
            guard !submission.isDone, !submission.isQueued else { return }
            submission.putOff(why)
            again.append(submission.firstSequence)
        }
        for sequence in again { toSend.append(sequence) }
    }

    private mutating func forEach(
        in sequences: Range<UInt64>, _ body: (inout Submission, Range<UInt64>) -> Void
    ) {
        guard var place = firstPlace(endingAfter: sequences.lowerBound) else { return }
        while place < submissions.count {
            let part = submissions[place].sequences.clamped(to: sequences)
            guard !part.isEmpty else { break }
            let size = submissions[place].message.count
            body(&submissions[place], part)
            if submissions[place].isDone && size > 0 { release(place, size) }
            place += 1
        }
        settle()
    }

    private mutating func release(_ place: Int, _ size: Int) {
        bytes -= size
        requests -= submissions[place].requests
    }

    /// Lets go of what is done at the front, and lets others in.
    private mutating func settle() {
        while let first = submissions.first, first.isDone { submissions.removeFirst() }
        admit()
    }

    /// Takes back each submission that `body` says so of.
    mutating func drop(where isDropped: (Submission) -> Bool) {
        for place in 0..<submissions.count where !submissions[place].isDone && isDropped(submissions[place]) {
            let size = submissions[place].message.count
            submissions[place].drop()
            release(place, size)
        }
        waiting.removeAll(where: isDropped)
        settle()
    }

    private func place(of firstSequence: UInt64) -> Int? {
        guard let place = firstPlace(endingAfter: firstSequence),
            submissions[place].firstSequence == firstSequence
        else { return nil }
        return place
    }

    /// Binary search: the first submission whose last sequence is not before `sequence`.
    private func firstPlace(endingAfter sequence: UInt64) -> Int? {
        var low = 0
        var high = submissions.count
        while low < high {
            let middle = (low + high) / 2
            if submissions[middle].sequences.upperBound <= sequence { low = middle + 1 } else { high = middle }
        }
        return low < submissions.count ? low : nil
    }
}
