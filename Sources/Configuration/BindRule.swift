// Where Statex may listen. Without keys, whoever reaches an endpoint may submit and take jobs; so the file
// system or the loopback interface must keep strangers away. `ipc://` never has keys.

import Glibc

/// Why an endpoint is refused, and what to do.
package struct BindError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// Checks that an endpoint is safe to bind: `ipc://` in a directory of mode 0700 that is ours, or `tcp://` on a literal
/// address, which without keys is a loopback one.
/// - Parameters:
///   - hasKeys: whether whoever connects over TCP must show a key.
///   - creatingDirectory: whether a missing directory is created, or accepted as missing.
package func checkBind(
    endpoint: String, hasKeys: Bool = false, creatingDirectory: Bool = true
) throws(BindError) {
    if endpoint.hasPrefix("ipc://") {
        return try checkSocketPath(String(endpoint.dropFirst(6)), endpoint: endpoint, creatingDirectory)
    }
    if endpoint.hasPrefix("tcp://") {
        return try checkAddress(String(endpoint.dropFirst(6)), endpoint: endpoint, hasKeys)
    }
    throw BindError(
        description:
            "\(endpoint.shown): only ipc:// and tcp:// endpoints can be bound; use ipc:///run/statex/submit.sock or tcp://127.0.0.1:7301"
    )
}

/// What a Unix socket's address holds, less its final NUL.
package let maximumSocketPath = 107

/// Checks that a gateway may listen there: beyond loopback only with keys of the operator's.
package func checkBind(gateway: ListenAddress, hasKeys: Bool) throws(BindError) {
    guard !hasKeys, !isLoopback(gateway.host.contains(":") ? "[\(gateway.host)]" : gateway.host) else { return }
    throw BindError(
        description:
            "\(gateway): without gateway_tokens only a loopback address may be bound (anybody who can read the development token could submit and cancel); set gateway_tokens, or use 127.0.0.1:PORT"
    )
}

/// Whether it is an address and no name, which is whatever a resolver says.
func isLiteralAddress(_ host: String) -> Bool {
    guard !host.utf8.contains(0) else { return false }
    var four = in_addr()
    var six = in6_addr()
    return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1
}

// MARK: tcp

private func checkAddress(_ address: String, endpoint: String, _ hasKeys: Bool) throws(BindError) {
    let reason =
        hasKeys
        ? "a literal address may be bound, such as tcp://0.0.0.0:PORT or tcp://10.0.0.7:PORT"
        : "without keys only a literal loopback address may be bound (anybody who reaches the port could submit and take jobs); "
            + "use tcp://127.0.0.1:PORT, tcp://[::1]:PORT or an ipc:// endpoint, or set server_key"
    guard let colon = address.lastIndex(of: ":") else {
        throw BindError(description: "\(endpoint.shown): it has no port; \(reason)")
    }
    let (host, port) = (String(address[..<colon]), String(address[address.index(after: colon)...]))
    guard isLoopback(host) || (hasKeys && isBindable(host)) else {
        throw BindError(description: "\(endpoint.shown): \(reason)")
    }
    guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port), number > 0 else {
        throw BindError(description: "\(endpoint.shown): the port must be a number from 1 to 65535")
    }
}

private func isBindable(_ host: String) -> Bool {
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    let bare = isBracketed ? String(host.dropFirst().dropLast()) : host
    return isLiteralAddress(bare) && isBracketed == bare.contains(":")
}

/// Literal addresses only: a name, `localhost` too, is whatever a resolver says.
private func isLoopback(_ host: String) -> Bool {
    guard !host.utf8.contains(0) else { return false }
    if host.hasPrefix("["), host.hasSuffix("]") {
        var address = in6_addr()
        guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address) == 1 else { return false }
        return withUnsafeBytes(of: &address) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    }
    var address = in_addr()
    guard inet_pton(AF_INET, host, &address) == 1 else { return false }
    return UInt32(bigEndian: address.s_addr) >> 24 == 127
}

// MARK: ipc

private func checkSocketPath(_ path: String, endpoint: String, _ creatingDirectory: Bool) throws(BindError) {
    func refuse(_ reason: String) -> BindError { BindError(description: "\(endpoint.shown): \(reason)") }

    guard !path.hasPrefix("@") else {
        throw refuse(
            "an abstract socket has no directory that keeps strangers away; use a path such as ipc:///run/statex/submit.sock"
        )
    }
    guard path.hasPrefix("/"), path.unicodeScalars.allSatisfy({ $0.value >= 0x20 }) else {
        throw refuse("the path must be absolute, such as ipc:///run/statex/submit.sock")
    }
    guard path.utf8.count <= maximumSocketPath else {
        throw refuse(
            "the path has \(path.utf8.count) bytes, a Unix socket's address holds \(maximumSocketPath); choose a shorter data_dir or endpoint"
        )
    }
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex, path.index(after: slash) != path.endIndex
    else {
        throw refuse("the socket must lie in a directory of its own, such as /run/statex")
    }
    let directory = String(path[..<slash])
    if !creatingDirectory, access(directory, F_OK) != 0 { return }
    try checkDirectory(directory, refuse)
}

private func checkDirectory(_ directory: String, _ refuse: (String) -> BindError) throws(BindError) {
    if mkdir(directory, 0o700) != 0, errno != EEXIST {
        throw refuse("its directory \(directory) cannot be created: \(String(cString: strerror(errno)))")
    }
    // Not lstat and then something else: the descriptor is what is judged.
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw refuse(
            "its directory \(directory) must be a directory, and not a link: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
        throw refuse("its directory \(directory): \(String(cString: strerror(errno)))")
    }
    guard status.st_uid == geteuid() else {
        throw refuse(
            "its directory \(directory) belongs to user \(status.st_uid), we are \(geteuid()); choose a directory of our own"
        )
    }
    guard status.st_mode & 0o7777 == 0o700 else {
        let mode = String(status.st_mode & 0o7777, radix: 8)
        throw refuse(
            "its directory \(directory) has mode 0\(mode), without keys it must be 0700; run: chmod 0700 \(directory)")
    }
    try checkAncestors(of: directory, refuse)
}

/// Whoever may rename a directory on the way may put another one in its place.
private func checkAncestors(of directory: String, _ refuse: (String) -> BindError) throws(BindError) {
    var path = directory
    while let slash = path.lastIndex(of: "/"), path != "/" {
        path = slash == path.startIndex ? "/" : String(path[..<slash])
        var status = stat()
        guard stat(path, &status) == 0 else { throw refuse("\(path): \(String(cString: strerror(errno)))") }
        let writableByOthers = status.st_mode & 0o002 != 0 && status.st_mode & S_ISVTX == 0
        if writableByOthers {
            throw refuse(
                "others may write to \(path), so they could put another directory in the place of \(directory); run: chmod o-w \(path)"
            )
        }
    }
}
