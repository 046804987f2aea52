/// Cuts a stream of bytes into lines, however it arrives; a line that is longer than the limit is an
/// error long before it is complete, so a stream can never take more memory than the limit.
struct LineSplitter: Sendable {
    struct LineTooLong: Error { let limit: Int }

    let limit: Int
    private var buffer: [UInt8] = []
    /// Where the first line that was not given out begins.
    private var start = 0
    /// No line ends before here.
    private var searched = 0

    init(limit: Int) { self.limit = limit }

    /// Nothing was received since the last complete line.
    var isEmpty: Bool { start == buffer.count }

    mutating func append(_ bytes: [UInt8]) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 16)
            start = 0
            searched = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next complete line without its line feed; nil: more bytes are needed.
    mutating func next() throws(LineTooLong) -> [UInt8]? {
        guard let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = buffer.count
            guard searched - start <= limit else { throw LineTooLong(limit: limit) }
            compact()
            return nil
        }
        guard end - start <= limit else { throw LineTooLong(limit: limit) }
        let line = Array(buffer[start..<end])
        start = end + 1
        searched = start
        return line
    }

    private mutating func compact() {
        guard start > 0 else { return }
        buffer.removeFirst(start)
        searched -= start
        start = 0
    }
}
