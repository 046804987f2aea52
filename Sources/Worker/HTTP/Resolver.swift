import Glibc
import StatexThreads

/// The addresses of a host, in the order in which to try them.
///
/// The system's resolver blocks for as long as its own settings say, so a name is looked up on a thread
/// of its own: whoever waits can stop waiting. That thread ends when the resolver returns.
func resolve(_ server: ServerAddress, _ patience: Patience) throws(TransportFault) -> [SocketAddress] {
    if case .success(let addresses) = lookUp(server, flags: AI_NUMERICHOST) { return addresses }
    let answered: Wakeup
    do {
        answered = try Wakeup()
    } catch {
        throw .broken("\(error)")
    }
    let answer = Mailbox<Result<[SocketAddress], LookUpFailure>>(wakeup: answered)
    NamedThread("resolver") { answer.put(lookUp(server, flags: 0)) }.detach()
    _ = try patience.wait(for: POLLIN, on: answered.descriptor)
    switch answer.takeAll().first {
    case .success(let addresses): return addresses
    case .failure(let failure): throw .broken(failure.reason)
    case nil: throw .broken("the resolver gave no answer")
    }
}

private struct LookUpFailure: Error {
    let reason: String
}

/// More than any host has reason to have.
private let addressLimit = 8

private func lookUp(_ server: ServerAddress, flags: CInt) -> Result<[SocketAddress], LookUpFailure> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = flags | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(server.host, String(server.port), &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    guard code == 0 else { return .failure(LookUpFailure(reason: String(cString: gai_strerror(code)))) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next?.pointee, addresses.count < addressLimit {
        if let address = entry.ai_addr {
            let bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
            addresses.append(SocketAddress(family: entry.ai_family, bytes: bytes))
        }
        next = entry.ai_next
    }
    return .success(addresses)
}
