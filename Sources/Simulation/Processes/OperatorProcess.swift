import StatexProtocol
import StatexSchedulerCore

/// Gives orders, one after another, until each is answered: after every break under the same number.
final class OperatorProcess {
    private enum Link {
        case closed
        case greeting
        case up(SessionStamp)
    }

    unowned let world: World
    private let producer: Producer
    private let incarnation: UInt64
    private var socket = -1
    private var link = Link.closed
    private var newest = SessionStamp()
    private var left: Set<UInt64> = []
    /// Not answered yet. The first is under way.
    private var orders: [Order] = []
    private var ordersGiven: UInt64 = 0
    /// Who has the next order sent twice.
    var repeatedBy: Int?
    private var isLooking = false
    private var buffer = ByteBuffer(capacity: 256)

    init(_ world: World) {
        self.world = world
        var random = SeededGenerator(seed: world.order.seed, part: 40)
        producer = Producer(high: random.next(), low: random.next())
        incarnation = random.next() | 1
    }

    var isDone: Bool { orders.isEmpty }

    func give(_ action: OrderAction, _ subject: Pauses.Subject) {
        ordersGiven += 1
        var order = Order(action, number: ordersGiven, who: "operator")
        switch subject {
        case .everything: order.filter.everything = true
        case .kind(let name): order.filter.kind = name
        case .tenant(let name): order.filter.tenant = name
        }
        orders.append(order)
        if orders.count == 1 { sendFirst() }
        look()
    }

    /// Whatever has no answer by the next look is said again, over a new connection.
    private func look() {
        guard !isLooking else { return }
        isLooking = true
        world.act("an operator looks for answers", after: Self.patience) { world in
            world.staff.isLooking = false
            guard !world.staff.isDone else { return }
            world.staff.connect()
            world.staff.look()
        }
    }

    private static let patience: Int64 = 4_000_000_000

    private func connect() {
        if socket >= 0 { world.network.close(socket) }
        socket = world.network.open(.staff)
        link = .greeting
        var hello = Hello(role: .client, incarnation: incarnation, name: "operator")
        hello.journal = newest.incarnation
        hello.producer = producer
        buffer.removeAll()
        hello.write(to: &buffer)
        world.network.send(buffer.array(), from: socket)
    }

    private func sendFirst() {
        guard case .up(let stamp) = link, let order = orders.first else {
            if case .closed = link { connect() }
            return
        }
        buffer.removeAll()
        order.write(to: &buffer, stamp: stamp)
        let isTwice = repeatedBy != nil
        for _ in 0..<(isTwice ? 2 : 1) { world.network.send(buffer.array(), from: socket) }
    }

    func arrived(_ bytes: [UInt8], over connection: Int) {
        guard socket >= 0, world.network.reaches(connection, socket: socket) else { return }
        let span = bytes.span.bytes
        do throws(WireError) {
            let header = try Header(reading: span)
            switch (header.type, link) {
            case (.welcome, .greeting): welcomed(try Welcome(reading: span, header: header))
            case (.fault, _): link = .closed
            case (.orderReply, .up(let stamp)) where header.session == stamp.session:
                answered(try OrderReply(reading: span, header: header), by: stamp)
            default: break
            }
        } catch {
            world.violation("an operator did not understand a message: \(error)")
        }
    }

    private func welcomed(_ welcome: Welcome) {
        let stamp = welcome.stamp
        guard
            stamp.incarnation == newest.incarnation
                ? stamp.epoch >= newest.epoch : !left.contains(stamp.incarnation)
        else { return }
        if newest.incarnation != 0, newest.incarnation != stamp.incarnation { left.insert(newest.incarnation) }
        newest = stamp
        link = .up(stamp)
        sendFirst()
    }

    private func answered(_ reply: OrderReply, by stamp: SessionStamp) {
        if reply.isRepeated {
            world.mark("order known already")
            if let repeatedBy { world.hit(repeatedBy) }
            repeatedBy = nil
        }
        guard reply.number == orders.first?.number else { return }
        let order = orders.removeFirst()
        if reply.code != 0 { world.violation("order \(order.number) was refused: \(reply.message)") }
        world.orderAnswered(order, by: stamp)
        sendFirst()
    }
}
