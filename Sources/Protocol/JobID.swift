/// Names a job for ever, in 63 bits: the hour since 1970 (20 bits), the shard (8), and a counter
/// inside the hour (35).
///
/// So ids rise with time, 4,096 neighbours share a *page*, and the borders of partitions are known
/// ahead. In JSON and on the command line an id is a decimal string. A request's id is its first
/// job's.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    /// Jobs in a page: small enough that an offset fits 2 bytes, large enough that a page's chunks
    /// are full at a thousand jobs a second.
    public static let pageBits: UInt64 = 12
    public static let counterBits: UInt64 = 35
    public static let shardBits: UInt64 = 8
    public static let hourBits: UInt64 = 20

    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Returns: nil if a part does not fit its bits.
    @inlinable public init?(hour: UInt64, shard: UInt64, counter: UInt64) {
        guard hour < 1 << Self.hourBits, shard < 1 << Self.shardBits, counter < 1 << Self.counterBits else {
            return nil
        }
        rawValue = hour << (Self.shardBits + Self.counterBits) | shard << Self.counterBits | counter
    }

    /// Reads the decimal string of JSON and the command line; nil if it is not one of a job.
    public init?(_ text: some StringProtocol) {
        guard let value = UInt64(text), value > 0, value < 1 << 63 else { return nil }
        rawValue = value
    }

    @inlinable public var hour: UInt64 { rawValue >> (Self.shardBits + Self.counterBits) }
    @inlinable public var page: UInt64 { rawValue >> Self.pageBits }
    @inlinable public var offsetInPage: Int { Int(truncatingIfNeeded: rawValue & (1 << Self.pageBits - 1)) }

    @inlinable public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}
