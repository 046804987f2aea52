import StatexProtocol
import Testing

/// Which filters an order may have: what is wrong is refused by both ends, before anything is done.
@Suite struct OrderTests {
    @Test(arguments: OrderAction.allCases)
    func anOrderWithoutAFilterIsRefused(action: OrderAction) {
        #expect(throws: WireError.self) { try Order(action, number: 1, who: "mira").check() }
    }

    @Test func eachActionTakesItsOwnFilters() throws {
        func check(_ action: OrderAction, _ change: (inout OrderFilter) -> Void) -> WireError.Code? {
            var order = Order(action, number: 1, who: "mira")
            change(&order.filter)
            do throws(WireError) { try order.check() } catch { return error.code }
            return nil
        }
        for action in [OrderAction.pause, .resume] {
            #expect(check(action) { $0.everything = true } == nil)
            #expect(check(action) { $0.kind = "text" } == nil)
            #expect(check(action) { $0.tenant = "a" } == nil)
            #expect(
                check(action) {
                    $0.kind = "text"
                    $0.tenant = "a"
                } == .malformed)
            #expect(check(action) { $0.tags = ["a"] } == .malformed)
        }
        #expect(check(.drain) { $0.worker = "w" } == nil)
        #expect(check(.drain) { $0.everything = true } == .malformed)
        for action in [OrderAction.retry, .drop] {
            #expect(check(action) { $0.jobs = [Sample.id] } == nil)
            #expect(check(action) { $0.everything = true } == .malformed)
            #expect(check(action) { $0.requests = [Sample.id] } == .malformed)
        }
        #expect(check(.cancel) { $0.everything = true } == nil)
        #expect(check(.cancel) { $0.state = .queued } == nil)
        #expect(check(.cancel) { $0.state = .dead } == .malformed)
        #expect(check(.cancel) { $0.kind = "" } == .tooLarge)
        #expect(check(.cancel) { $0.tags = [String](repeating: "a", count: 9) } == .tooLarge)
        #expect(check(.cancel) { $0.jobs = [JobID](repeating: Sample.id, count: 1_001) } == .tooLarge)
    }

    @Test func theNumberOfAnOrderThatCannotBeReadIsKnownAllTheSame() throws {
        var buffer = ByteBuffer()
        Order(.pause, number: 77, who: "mira").write(to: &buffer, stamp: Sample.stamp)
        let bytes = buffer.array()
        let header = try Header(reading: bytes.span.bytes)
        #expect(throws: WireError.self) { try Order(reading: bytes.span.bytes, header: header) }
        #expect(try Order.number(in: bytes.span.bytes, header: header) == 77)
    }
}
