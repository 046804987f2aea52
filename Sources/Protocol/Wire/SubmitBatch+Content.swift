extension SubmitBatch {
    /// What two requests of one user key have in common, byte by byte: kinds, priorities, attempts, encodings,
    /// options and payloads of these jobs, in order. Journals keep its digest: a change makes repeats conflicts.
    ///
    /// - Parameter bytes: the message that the batch was read from.
    package func content(of jobs: Range<Int>, in bytes: borrowing RawSpan) -> ByteBuffer {
        var content = ByteBuffer(capacity: 1_024)
        for job in self.jobs[jobs] {
            let kind = names[Int(job.kind)]
            content.append(UInt16(kind.utf8.count))
            content.append(kind)
            content.append(job.priority)
            content.append(job.attempts)
            content.append(job.encoding)
            content.append(job.optionsLength)
            content.append(bytes.extracting(Int(job.optionsStart)..<Int(job.optionsStart) + Int(job.optionsLength)))
            content.append(job.payloadLength)
            content.append(bytes.extracting(Int(job.payloadStart)..<Int(job.payloadStart) + Int(job.payloadLength)))
        }
        return content
    }
}
