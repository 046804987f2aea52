// multipart/form-data (RFC 7578, framed as RFC 2046 says), read as it arrives.
//
// What comes in is from strangers: a part's content is handed on in whatever pieces it came in and never gathered, and
// everything between the contents is bounded. It is strict where readers differ, so that nobody sees other parts than
// another reader would.

import Glibc
import NIOCore

/// Why a body is no form.
struct MultipartError: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

struct MultipartParser {
    enum Event: Equatable {
        case begin(PartHead)
        /// More of the part's content; never empty.
        case content(ByteBuffer)
        case end
    }

    private enum State {
        /// Before the first delimiter.
        case preamble
        /// Behind the boundary of a delimiter: does the form go on?
        case delimiter
        case head
        case content
        /// Behind the last delimiter.
        case epilogue
    }

    /// What nobody reads, in front of the first delimiter and behind the last.
    static let surroundingsLimit = 1 << 10
    /// Spaces that a relay may put behind a boundary.
    private static let paddingLimit = 64

    private var state = State.preamble
    /// What came and is not told yet. It begins with the line end that the first delimiter may lack.
    private var pending = ByteBuffer(string: "\r\n")
    /// `CRLF--boundary`. The boundary has no CR, so what is no delimiter has none in it that was looked at.
    private let delimiter: [UInt8]
    private var head = PartHead.Lines()
    private var surroundings = 0
    private var padding = 0

    /// - Parameter boundary: as it stands in Content-Type, checked there.
    init(boundary: String) { delimiter = Array("\r\n--\(boundary)".utf8) }

    mutating func append(_ bytes: ByteBuffer) {
        pending.discardReadBytes()
        pending.writeImmutableBuffer(bytes)
    }

    /// What comes next; nil: more is needed.
    mutating func next() throws(MultipartError) -> Event? {
        while true {
            switch state {
            case .preamble:
                let (skipped, isFound) = untilDelimiter()
                try skip(skipped.readableBytes)
                if isFound { state = .delimiter } else if skipped.readableBytes == 0 { return nil }
            case .delimiter:
                guard let next = try afterDelimiter() else { return nil }
                state = next
            case .head:
                guard let line = try line() else { return nil }
                if let head = try head.take(line) {
                    state = .content
                    return .begin(head)
                }
            case .content:
                let (content, isFound) = untilDelimiter()
                // What stands in front of the delimiter is told before it is taken.
                if content.readableBytes > 0 { return .content(content) }
                guard isFound else { return nil }
                state = .delimiter
                return .end
            case .epilogue:
                try skip(pending.readableBytes)
                pending.clear()
                return nil
            }
        }
    }

    /// The body is at its end.
    func finish() throws(MultipartError) {
        guard case .epilogue = state else {
            throw MultipartError("it ends before its last boundary: it was cut, or Content-Type names another boundary")
        }
    }

    // MARK: Taking what is pending apart

    /// Takes what is certainly in front of the next delimiter; if that is nothing and the delimiter is there, takes
    /// that.
    private mutating func untilDelimiter() -> (before: ByteBuffer, isFound: Bool) {
        let (before, isWhole) = findDelimiter()
        guard before == 0, isWhole else { return (take(before), false) }
        pending.moveReaderIndex(forwardBy: delimiter.count)
        return (ByteBuffer(), true)
    }

    /// How many bytes stand in front of the next delimiter, or of what may become one when more comes.
    private func findDelimiter() -> (before: Int, isWhole: Bool) {
        pending.withUnsafeReadableBytes { bytes in
            var start = 0
            // Every byte of an upload passes here: no bytes are looked at one by one but those behind a CR.
            while start < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + start, 0x0D, bytes.count - start)
            {
                let candidate = UnsafeRawPointer(found) - base
                let length = min(delimiter.count, bytes.count - candidate)
                if memcmp(found, delimiter, length) == 0 { return (candidate, length == delimiter.count) }
                start = candidate + 1
            }
            return (bytes.count, false)
        }
    }

    private mutating func take(_ count: Int) -> ByteBuffer { pending.readSlice(length: count) ?? ByteBuffer() }

    /// - Returns: what follows; nil: more is needed.
    private mutating func afterDelimiter() throws(MultipartError) -> State? {
        while let byte = pending.getInteger(at: pending.readerIndex, as: UInt8.self) {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                padding += 1
                guard padding <= Self.paddingLimit else {
                    throw MultipartError("there are more than \(Self.paddingLimit) spaces behind a boundary")
                }
                pending.moveReaderIndex(forwardBy: 1)
                continue
            }
            guard pending.readableBytes >= 2 else { return nil }
            switch (pending.readBytes(length: 2), padding) {
            case ([UInt8(ascii: "-"), UInt8(ascii: "-")], 0): return .epilogue
            case ([UInt8(ascii: "\r"), UInt8(ascii: "\n")], _):
                padding = 0
                return .head
            default: throw MultipartError("a boundary stands in a content, or is not followed by a line end")
            }
        }
        return nil
    }

    /// A line of a head, without its end; nil: more is needed.
    private mutating func line() throws(MultipartError) -> [UInt8]? {
        let view = pending.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= PartHead.limit else { throw PartHead.tooLong }
            return nil
        }
        let line = view[..<end]
        guard line.last == UInt8(ascii: "\r") else { throw MultipartError("a line of a part's head ends without CR") }
        let bytes = Array(line.dropLast())
        pending.moveReaderIndex(forwardBy: bytes.count + 2)
        return bytes
    }

    private mutating func skip(_ count: Int) throws(MultipartError) {
        surroundings += count
        guard surroundings <= Self.surroundingsLimit else {
            throw MultipartError(
                "there are more than \(Self.surroundingsLimit) bytes before its first or behind its last boundary: perhaps Content-Type names another boundary"
            )
        }
    }
}
