/// Builds one SUBMIT: each name once into the table, jobs one after the other.
///
/// The caller has checked the limits: what is built here is never refused as malformed.
public struct SubmitWriter: ~Copyable {
    private var names = ByteBuffer(capacity: 256)
    private var numbers: [String: UInt16] = [:]
    private var records: ByteBuffer
    public private(set) var jobs = 0
    public private(set) var requests = 0

    public init(capacity: Int = 4_096) { records = ByteBuffer(capacity: capacity) }

    public var isEmpty: Bool { jobs == 0 }

    /// The size of the message if it were finished now.
    public var byteCount: Int { Header.size + SubmitBatch.fields + names.count + records.count }

    /// The number of a kind or a tenant in this message's table.
    public mutating func number(of name: String) -> UInt16 {
        if let number = numbers[name] { return number }
        let number = UInt16(numbers.count)
        precondition(numbers.count < Limits.namesInMessage && (1...Limits.nameBytes).contains(name.utf8.count))
        numbers[name] = number
        names.append(UInt8(name.utf8.count))
        names.append(name)
        return number
    }

    /// How many names the table has; `Limits.namesInMessage` fit.
    public var nameCount: Int { numbers.count }

    /// Adds one job. Its lengths are those of the bytes given here.
    @inline(__always)
    public mutating func append(_ job: SubmitJob, options: borrowing RawSpan, payload: borrowing RawSpan) {
        precondition(jobs < Limits.recordsInMessage)
        var job = job
        job.optionsLength = UInt16(options.byteCount)
        job.payloadLength = UInt32(payload.byteCount)
        job.write(to: &records)
        records.append(options)
        records.append(payload)
        jobs += 1
        if job.index == 0 { requests += 1 }
    }

    /// The whole message. Its stamp and first sequence are set when it is sent, see `SubmitMessage`.
    public consuming func finish(notify: Bool) -> [UInt8] {
        let length = byteCount
        precondition(jobs > 0 && length <= Limits.messageBytes)
        var head = ByteBuffer(capacity: Header.size + SubmitBatch.fields + names.count)
        Header(.submit, fields: SubmitBatch.fields, recordLength: SubmitJob.size, count: jobs).write(to: &head)
        head.append(UInt64(0))
        head.append(UInt32(notify ? 1 : 0))
        head.append(UInt16(numbers.count))
        head.append(UInt16(0))
        head.append(names.bytes)
        return [UInt8](unsafeUninitializedCapacity: length) { target, count in
            head.withUnsafeBytes { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
            records.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(target)[head.count...])
                    .copyMemory(from: $0)
            }
            count = length
        }
    }
}

/// Changes in place what differs when a message is sent once more.
public enum SubmitMessage {
    /// The stamp of the session that it is sent in.
    public static func setStamp(_ stamp: SessionStamp, in message: inout [UInt8]) {
        replace(stamp.session, at: 8, in: &message)
        replace(stamp.incarnation, at: 16, in: &message)
        replace(stamp.epoch, at: 24, in: &message)
    }

    public static func setFirstSequence(_ sequence: UInt64, in message: inout [UInt8]) {
        replace(sequence, at: Header.size, in: &message)
    }

    private static func replace<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at offset: Int, in message: inout [UInt8]
    ) {
        precondition(offset + MemoryLayout<T>.size <= message.count)
        message.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
    }
}
