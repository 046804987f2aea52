/// Names a job for ever, in 63 bits: the hour since 1970 (20 bits), the shard (8), and a counter
/// inside the hour (35).
///
/// So ids rise with time, 4,096 neighbours share a *page*, and the borders of partitions are known
/// ahead. In JSON and on the command line an id is a decimal string. A request's id is its first
/// job's.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}
