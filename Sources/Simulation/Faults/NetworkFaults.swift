/// A connection closes; what was under way is lost, and both sides find out by and by.
struct CutConnection: SimulatedFault {
    let name = "cut connection"

    func strike(_ world: World) -> Bool {
        guard let connection = world.anyConnection() else { return false }
        world.network.cut(connection)
        return true
    }
}

/// New connections may reach a former scheduler that still lives.
struct MisleadConnections: SimulatedFault {
    let name = "mislead connections"

    func strike(_ world: World) -> Bool {
        world.misleadsConnections.toggle()
        return true
    }
}

/// A connection holds everything back, one way or both, for a while, and nobody closes it.
struct ClogConnection: SimulatedFault {
    let name = "clog connection"

    func strike(_ world: World) -> Bool {
        guard let connection = world.anyConnection() else { return false }
        let way = world.random.below(3)
        world.network.clog(connection, up: way != 0, down: way != 1)
        world.plan(.unclog(connection: connection), at: world.now + world.random.within(100_000_000...20_000_000_000))
        return true
    }
}
