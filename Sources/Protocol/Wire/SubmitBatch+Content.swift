extension SubmitBatch {
    /// What two requests of one user key have in common, byte by byte: kinds, priorities, attempts, encodings,
    /// options and payloads of these jobs, in order; not what is another one when a client tries again: the trace, and
    /// the time that follows from a delay. Journals keep its digest: a change
    /// makes repeats conflicts.
    ///
    /// - Parameter bytes: the message that the batch was read from.
    package func content(of jobs: Range<Int>, in bytes: borrowing RawSpan) -> ByteBuffer {
        var content = ByteBuffer(capacity: 1_024)
        for job in self.jobs[jobs] {
            let (kind, start) = (names[Int(job.kind)], Int(job.optionsStart))
            content.append(UInt16(kind.utf8.count))
            content.append(kind)
            content.append(job.priority)
            content.append(job.attempts)
            content.append(job.encoding)
            append(options: bytes.extracting(start..<start + Int(job.optionsLength)), to: &content)
            content.append(job.payloadLength)
            content.append(bytes.extracting(Int(job.payloadStart)..<Int(job.payloadStart) + Int(job.payloadLength)))
        }
        return content
    }

    /// Their length, and all but those. Options that cannot be read are the core's to refuse: up to there.
    private func append(options: borrowing RawSpan, to content: inout ByteBuffer) {
        let lengthAt = content.count
        content.append(UInt16(0))
        let found = Self.find(options)
        let isDelayed = found.contains { $0.tag == OptionTag.delay.rawValue }
        for (tag, place) in found {
            let isLeftOut =
                tag == OptionTag.traceparent.rawValue || isDelayed && tag == OptionTag.runAt.rawValue
            if !isLeftOut { content.append(options.extracting(place)) }
        }
        content.replace(at: lengthAt, with: UInt16(content.count - lengthAt - 2))
    }

    private static func find(_ options: borrowing RawSpan) -> [(tag: UInt16, place: Range<Int>)] {
        var found: [(tag: UInt16, place: Range<Int>)] = []
        var offset = 0
        while offset + 4 <= options.byteCount {
            let end = offset + 4 + Int(options.integer(UInt16.self, at: offset + 2))
            guard end <= options.byteCount else { break }
            found.append((options.integer(UInt16.self, at: offset), offset..<end))
            offset = end
        }
        return found
    }
}
