import Glibc
import StatexProtocol
import Testing

@testable import StatexReads

/// What needs no journal: what a pool says when there is none.
struct ReadPoolTests {
    private let nowhere = "postgresql://statex@/statex?host=/nowhere"

    @Test func `without a journal every read says so, and the pool goes on`() async {
        let pool = ReadPool(url: nowhere, name: "test", threads: 2)
        await withTaskGroup(of: ReadError?.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do throws(ReadError) {
                        try await pool.read { reader throws(ReadError) in try reader.check() }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await error in group {
                guard case .unreachable(let reason) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                #expect(reason.contains("connect"))
            }
        }
        pool.close()
    }

    @Test func `a read beyond the bound is refused at once`() async {
        let pool = ReadPool(url: nowhere, name: "test", threads: 1, capacity: 0)
        await #expect(throws: ReadError.busy) {
            try await pool.read { reader throws(ReadError) in try reader.check() }
        }
        pool.close()
    }

    @Test func `of a journal that hangs everybody hears in time, and nobody holds the others up`() async throws {
        let silent = try SilentServer()
        let pool = ReadPool(url: silent.url, name: "test", threads: 1, patience: .milliseconds(100))
        for _ in 0..<3 {
            await #expect(throws: ReadError.unreachable("the journal has not answered for 0.1 seconds")) {
                try await pool.read { reader throws(ReadError) in try reader.check() }
            }
        }
        await #expect(throws: ReadError.unreachable("the journal has not answered for 0.05 seconds")) {
            try await pool.read(within: .milliseconds(50)) { reader throws(ReadError) in try reader.check() }
        }
        pool.close()
    }

    @Test func `a closed pool reads no more`() async {
        let pool = ReadPool(url: nowhere, name: "test", threads: 3)
        pool.close()
        await #expect(throws: ReadError.unreachable("reading has ended")) {
            try await pool.read { reader throws(ReadError) in try reader.check() }
        }
    }
}

/// Takes connections, and never says a word.
private final class SilentServer {
    private let socket: Int32
    let url: String

    init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.socket = socket
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isThere = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && listen(socket, 16) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        try #require(isThere)
        url = "postgresql://statex@127.0.0.1:\(UInt16(bigEndian: address.sin_port))/statex"
    }

    deinit { close(socket) }
}
