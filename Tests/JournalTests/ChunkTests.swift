import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

@Suite("Chunks and sums")
struct ChunkTests {
    private struct Row: Equatable, ChunkRow {
        var id: UInt64
        var token: UInt64
    }

    private func chunks(_ rows: [Row]) -> [(rows: [Row], base: UInt64)] {
        var chunks: [(rows: [Row], base: UInt64)] = []
        Chunks.forEach(rows) { chunks.append((Array($0), $1)) }
        return chunks
    }

    @Test(
        "Every row stands in one chunk, in order; a chunk is of one page and bounded",
        arguments: 1...20 as ClosedRange<UInt64>)
    func covers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var id: UInt64 = 1
        let rows = (0..<2_000).map { _ in
            id += 1 + (random.next() % 40 == 0 ? random.next() % 10_000 : random.next() % 4)
            let far = random.next() % 100 == 0
            return Row(id: id, token: 1 + random.next() % (far ? 1 << 40 : 1 << 20))
        }
        let chunks = chunks(rows)
        #expect(chunks.flatMap(\.rows) == rows)
        for chunk in chunks {
            #expect(chunk.rows.count <= Chunks.entries)
            #expect(Set(chunk.rows.map { $0.id >> JobID.pageBits }).count == 1)
            #expect(chunk.rows.map(\.token).min() == chunk.base)
            #expect(chunk.rows.allSatisfy { $0.token - chunk.base < UInt64(Int32.max) })
        }
    }

    @Test("Nothing makes no chunk; neighbours fill theirs")
    func dense() {
        #expect(chunks([]).isEmpty)
        let rows = (0..<250 as Range<UInt64>).map { Row(id: 4_096 + $0, token: $0 + 1) }
        #expect(chunks(rows).map(\.rows.count) == [100, 100, 50])
    }

    @Test("Sorting happens only where it must, and sorts")
    func sorting() {
        var rows = [3, 1, 2, 2] as [UInt64]
        rows.sortIfNeeded { $0 }
        #expect(rows == [1, 2, 2, 3])
        var none: [UInt64] = []
        none.sortIfNeeded { $0 }
        #expect(none.isEmpty)
    }

    @Test("The sum does not depend on the order, and any missing, doubled, changed or swapped row changes it")
    func sums() {
        func sum(_ leases: [(UInt64, UInt64, UInt32)], _ outcomes: [(UInt64, UInt64, UInt64)] = []) -> UInt64 {
            var sum = Checksum()
            for (id, token, worker) in leases { sum.addLease(id: id, token: token, worker: worker) }
            for (id, token, ends) in outcomes { sum.addOutcome(id: id, token: token, ends: ends) }
            return sum.value
        }
        let rows: [(UInt64, UInt64, UInt32)] = [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
        let whole = sum(rows)
        #expect(sum(rows.reversed()) == whole)
        #expect(sum([]) == 0)
        var others = [
            sum([rows[0], rows[1]]), sum(rows + [rows[0]]), sum([rows[0], rows[1], (7, 9, 9)]),
            sum([rows[0], rows[1], (7, 8, 10)]), sum([rows[0], rows[1], (8, 7, 9)]),
            sum([], rows.map { ($0.0, $0.1, UInt64($0.2)) }), whole,
        ]
        others.append(sum(rows, [(1, 2, 1)]))
        #expect(Set(others).count == others.count)
    }
}
