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

    @Test func `a closed pool reads no more`() async {
        let pool = ReadPool(url: nowhere, name: "test", threads: 3)
        pool.close()
        await #expect(throws: ReadError.unreachable("reading has ended")) {
            try await pool.read { reader throws(ReadError) in try reader.check() }
        }
    }
}
