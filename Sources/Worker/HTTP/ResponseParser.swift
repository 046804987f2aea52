// Reads one HTTP/1.1 response (RFC 9112) as it arrives. Pure: bytes go in, a response or a fault comes
// out. What a server sends is untrusted: every length is bounded before it is kept.

/// The part of a response before its body.
struct ResponseHead: Sendable, Equatable {
    let status: Int
    /// The words behind the status; may be empty.
    let reason: String
    /// Names in lower case, in the order of their arrival.
    fileprivate(set) var fields: [(name: String, value: String)] = []

    /// The first value under a name in lower case.
    func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    static func == (left: Self, right: Self) -> Bool {
        left.status == right.status && left.reason == right.reason
            && left.fields.elementsEqual(right.fields) { $0 == $1 }
    }
}

enum ResponseFault: Error, Equatable {
    /// Not HTTP, or a part of it that this client does not speak.
    case malformed(String)
    /// The body has more bytes than the limit.
    case tooLarge(limit: Int)
    /// It ended before it was complete.
    case cut
}

struct ResponseLimits: Sendable {
    /// The body of a success. A larger one is a fault.
    var bodyBytes = 16 << 20
    /// The body of a failure: its message is wanted, and the rest is not read.
    var failureBytes = 64 << 10
    /// The head, 1xx responses before it and the trailers together: four times what common servers send.
    var headBytes = 64 << 10
    /// A line of a head, or of a chunk's size.
    var lineBytes = 16 << 10
}

struct ResponseParser {
    private enum State: Equatable {
        case statusLine
        case fields
        /// So many bytes of the body are still to come.
        case sized(Int)
        case untilEnd
        case chunkSize
        case chunk(Int)
        /// The line end behind a chunk's bytes.
        case chunkEnd
        case trailers
        case complete
    }

    private let limits: ResponseLimits
    private var state = State.statusLine
    private var line: [UInt8] = []
    private var headBytes = 0
    private var gathered: ResponseHead?

    /// The response's head, once it is complete.
    private(set) var head: ResponseHead?
    private(set) var body: [UInt8] = []
    var isComplete: Bool { state == .complete }

    init(_ limits: ResponseLimits = ResponseLimits()) { self.limits = limits }

    mutating func received(_ bytes: [UInt8]) throws(ResponseFault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .complete: return
            case .sized(let left): try take(left, from: &rest, then: .complete) { .sized($0) }
            case .chunk(let left): try take(left, from: &rest, then: .chunkEnd) { .chunk($0) }
            case .untilEnd:
                try append(rest)
                rest = []
            case .statusLine, .fields, .chunkSize, .chunkEnd, .trailers:
                guard let line = try takeLine(from: &rest) else { return }
                try obey(line)
            }
        }
    }

    /// The connection ended; `cleanly` when the server itself said so.
    mutating func ended(cleanly: Bool) throws(ResponseFault) {
        switch state {
        case .complete: return
        case .untilEnd where cleanly: state = .complete
        case .statusLine, .fields, .sized, .untilEnd, .chunkSize, .chunk, .chunkEnd, .trailers: throw .cut
        }
    }

    // MARK: lines

    /// A line without its end, once that has arrived. A line feed alone ends it too (RFC 9112, 2.2).
    private mutating func takeLine(from rest: inout ArraySlice<UInt8>) throws(ResponseFault) -> [UInt8]? {
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        let part = rest[..<(end ?? rest.endIndex)]
        guard line.count + part.count <= limits.lineBytes else {
            throw .malformed("a line of more than \(limits.lineBytes) bytes")
        }
        line.append(contentsOf: part)
        guard let end else {
            rest = []
            return nil
        }
        rest = rest[(end + 1)...]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return line
    }

    private mutating func obey(_ line: [UInt8]) throws(ResponseFault) {
        switch state {
        case .statusLine:
            try countHead(line)
            gathered = try ResponseHead(statusLine: line)
            state = .fields
        case .fields:
            try countHead(line)
            if line.isEmpty { try headEnded() } else { gathered?.fields.append(try Self.field(line)) }
        case .chunkSize:
            let size = try Self.chunkSize(line)
            state = size == 0 ? .trailers : .chunk(size)
        case .chunkEnd:
            guard line.isEmpty else { throw .malformed("something else than a line end behind a chunk") }
            state = .chunkSize
        case .trailers:
            try countHead(line)
            if line.isEmpty { state = .complete }
        case .sized, .untilEnd, .chunk, .complete: break
        }
    }

    private mutating func countHead(_ line: [UInt8]) throws(ResponseFault) {
        // The line end counts, so that empty lines do too.
        headBytes += line.count + 2
        guard headBytes <= limits.headBytes else { throw .malformed("a head of more than \(limits.headBytes) bytes") }
    }

    private mutating func headEnded() throws(ResponseFault) {
        guard let head = gathered else { return }
        gathered = nil
        guard head.status >= 200 else {
            guard head.status != 101 else { throw .malformed("a switch of protocols that nobody asked for") }
            state = .statusLine
            return
        }
        self.head = head
        let coding = head.value("content-encoding")?.lowercased() ?? "identity"
        guard coding == "identity" else { throw .malformed("a content-encoding that was not asked for") }
        state = try framing(of: head)
        if case .sized(let length) = state, length > limit, isSuccess { throw .tooLarge(limit: limit) }
    }

    private func framing(of head: ResponseHead) throws(ResponseFault) -> State {
        if head.status == 204 || head.status == 304 { return .complete }
        let lengths = Set(head.values("content-length"))
        let codings = head.values("transfer-encoding")
        if !codings.isEmpty {
            guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                throw .malformed("a transfer-encoding other than chunked")
            }
            // Whoever sends both may mean to have the end of the response misread.
            guard lengths.isEmpty else { throw .malformed("content-length beside transfer-encoding") }
            return .chunkSize
        }
        guard let text = lengths.first else { return .untilEnd }
        guard lengths.count == 1, text.utf8.allSatisfy(isDigit), let length = Int(text) else {
            throw .malformed("a content-length that is no number")
        }
        return length == 0 ? .complete : .sized(length)
    }

    // MARK: the body

    private var isSuccess: Bool { (200..<300).contains(head?.status ?? 0) }
    private var limit: Int { isSuccess ? limits.bodyBytes : limits.failureBytes }

    private mutating func take(
        _ left: Int, from rest: inout ArraySlice<UInt8>, then next: State, otherwise: (Int) -> State
    ) throws(ResponseFault) {
        let part = rest.prefix(left)
        rest = rest.dropFirst(part.count)
        state = part.count == left ? next : otherwise(left - part.count)
        try append(part)
    }

    private mutating func append(_ part: ArraySlice<UInt8>) throws(ResponseFault) {
        let room = limit - body.count
        body.append(contentsOf: part.prefix(room))
        guard part.count > room else { return }
        guard !isSuccess else { throw .tooLarge(limit: limit) }
        state = .complete
    }

    /// Hexadecimal digits, then perhaps an extension that nobody needs.
    private static func chunkSize(_ line: [UInt8]) throws(ResponseFault) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw .malformed("a chunk's size that is no number") }
        return size
    }
}

extension ResponseHead {
    /// `HTTP/1.1 200 OK`
    fileprivate init(statusLine line: [UInt8]) throws(ResponseFault) {
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, ["HTTP/1.1", "HTTP/1.0"].contains(where: { parts[0].elementsEqual($0.utf8) }),
            parts[1].count == 3, parts[1].allSatisfy(isDigit),
            let status = Int(String(decoding: parts[1], as: UTF8.self)), (100...599).contains(status)
        else { throw .malformed("no HTTP/1.1 status line") }
        self.status = status
        reason = parts.count > 2 ? String(decoding: parts[2], as: UTF8.self) : ""
    }
}

extension ResponseParser {
    /// `Name: value`
    private static func field(_ line: [UInt8]) throws(ResponseFault) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[..<colon].allSatisfy(isNameByte),
            !line.contains(0)
        else { throw .malformed("a header line that is not `name: value`") }
        let value = line[(colon + 1)...].trimmed
        return (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    /// RFC 9110, 5.6.2: the bytes of a token.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

extension ArraySlice<UInt8> {
    /// Without the spaces and tabs at both ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        return drop(while: isSpace).reversed().drop(while: isSpace).reversed()[...]
    }
}
