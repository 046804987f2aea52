// The trace of a leased job, in LEASES at the end of its record; and of a submitted one, in its options.

/// What a lease says of a job that belongs to a trace: what whoever records its spans cannot know otherwise.
public struct LeaseTrace: Sendable, Equatable {
    /// The trace, and the span that submitted the job.
    public var context: TraceContext
    public var request: JobID
    /// From when the job first was ready until it was leased.
    public var waitedMicroseconds: UInt64
    public var tenant: String

    public init(context: TraceContext, request: JobID, waitedMicroseconds: UInt64, tenant: String) {
        self.context = context
        self.request = request
        self.waitedMicroseconds = waitedMicroseconds
        self.tenant = tenant
    }

    public init(reading cursor: inout ByteCursor, in bytes: borrowing RawSpan) throws(WireError) {
        context = try TraceContext(reading: &cursor, length: TraceContext.length, in: bytes)
        let tenantLength = try cursor.read(UInt8.self, in: bytes, "tenant length")
        let id = try cursor.read(UInt64.self, in: bytes, "request")
        waitedMicroseconds = try cursor.read(UInt64.self, in: bytes, "waited")
        tenant = try cursor.text(Int(tenantLength), in: bytes, "tenant")
        guard id > 0, id < 1 << 63 else { throw WireError(.malformed, "\(id) is not an id") }
        request = JobID(rawValue: id)
        guard waitedMicroseconds < 1 << 53 else {
            throw WireError(.malformed, "a wait of \(waitedMicroseconds) µs is out of range")
        }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(context.description)
        buffer.append(UInt8(truncatingIfNeeded: tenant.utf8.count))
        buffer.append(request.rawValue)
        buffer.append(waitedMicroseconds)
        buffer.append(tenant)
    }
}

extension TraceContext {
    init(reading cursor: inout ByteCursor, length: Int, in bytes: borrowing RawSpan) throws(WireError) {
        let text = try cursor.text(length, in: bytes, "traceparent")
        guard length == Self.length, let trace = TraceContext(text) else {
            throw WireError(
                .malformed,
                "traceparent takes \(Self.length) bytes as W3C Trace Context has them: lower case, no id of zeros")
        }
        self = trace
    }
}
