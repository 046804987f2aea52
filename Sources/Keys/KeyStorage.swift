import Glibc

// The files of keys on the disk.

private func problem(_ path: String, _ what: String = "") -> KeyError {
    KeyError("\(path): \(what)\(String(cString: strerror(errno)))")
}

/// For keys alone: nobody else enters. What it lies in is made too, if it is not there.
func makeKeyDirectory(_ path: String) throws(KeyError) {
    guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { throw problem(path) }
    try makeParent(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw problem(path) }
}

private func makeParent(_ path: String) throws(KeyError) {
    if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { throw problem(path) }
    try makeParent(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw problem(path) }
}

/// Refuses an open file of a secret that others may write or read, as those of keys are.
package func checkSecretFile(_ descriptor: Int32, _ path: String) throws(KeyError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw problem(path) }
    try check(status, path, isSecret: true)
}

private func check(_ status: stat, _ path: String, isSecret: Bool) throws(KeyError) {
    let mode = "mode 0\(String(status.st_mode & 0o777, radix: 8))"
    guard status.st_mode & 0o022 == 0, status.st_uid == geteuid() || status.st_uid == 0 else {
        throw KeyError("\(path): others may write there (\(mode), user \(status.st_uid))")
    }
    // Root's may be for a group that we are in, as Kubernetes hands secrets out.
    let others: mode_t = status.st_uid == geteuid() ? 0o077 : 0o027
    guard !isSecret || status.st_mode & others == 0 else {
        throw KeyError(
            "\(path): others may read this secret (\(mode)); run: chmod 0600 \(path), and make another if anybody did")
    }
}

/// It must belong to us, or to root, and nobody else may write there.
/// - Parameter isSecret: nobody else may read it either.
func readKeyText(_ path: String, limit: Int, isSecret: Bool) throws(KeyError) -> String {
    guard !path.utf8.contains(0) else { throw KeyError("a path contains a NUL byte") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw problem(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw problem(path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw KeyError("\(path): it is not a regular file") }
    try check(status, path, isSecret: isSecret)
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var count = 0
    while count <= limit {
        let got = bytes.withUnsafeMutableBytes {
            Glibc.read(descriptor, $0.baseAddress?.advanced(by: count), limit + 1 - count)
        }
        if got < 0 && errno == EINTR { continue }
        guard got >= 0 else { throw problem(path) }
        if got == 0 { break }
        count += got
    }
    guard count <= limit else { throw KeyError("\(path): it has more than the \(limit) bytes that are read") }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
        throw KeyError("\(path): it is not valid UTF-8")
    }
    return text
}

/// Whole or not at all, also after a power failure.
func writeDurably(_ text: String, to path: String, mode: mode_t, replaces: Bool) throws(KeyError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let passing = "\(directory)/.writing-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    let descriptor = open(passing, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw problem(path) }
    defer {
        close(descriptor)
        unlink(passing)
    }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw problem(path) }
        rest = rest.dropFirst(count)
    }
    guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw problem(path) }
    // A link fails where a name is taken, and a rename replaces what has it.
    let moved = replaces ? rename(passing, path) : link(passing, path)
    guard moved == 0 else {
        throw errno == EEXIST ? KeyError("\(path) is there already; choose another name, or remove it") : problem(path)
    }
    let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw problem(directory) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw problem(directory) }
}
