import Glibc
import StatexObjects

/// The secret of a gateway without keys of the operator's: random, in the data directory, for us alone.
package enum DevelopmentKey {
    private static let randomBytes = 32

    /// The secret; made when it is not there yet.
    /// - Parameter made: hears where it was made.
    package static func secret(
        inDataDirectory directory: String, made: (String) -> Void = { _ in }
    ) throws(StackError) -> [UInt8] {
        let folder = directory + "/run"
        try makePath(directory, mode: geteuid() == 0 ? 0o711 : 0o700)
        try makeDirectory(folder, mode: 0o700, owner: nil)
        let path = folder + "/gateway.key"
        if let secret = try read(path) { return secret }
        try make(path)
        made(path)
        guard let secret = try read(path) else { throw StackError("\(path) went away as it was made") }
        return secret
    }

    /// nil: it is not there.
    private static func read(_ path: String) throws(StackError) -> [UInt8]? {
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw .system("opening \(path)")
        }
        let file = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .system("reading \(path)") }
        guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw StackError("\(path) must be ours, and of mode 0600; remove it, and another one is made")
        }
        var bytes = [UInt8](repeating: 0, count: 4 * randomBytes)
        let count = Glibc.read(file.raw, &bytes, bytes.count)
        guard count == 2 * randomBytes else {
            throw StackError("\(path) is no secret of ours; remove it, and another one is made")
        }
        return Array(bytes.prefix(count))
    }

    /// Under another name first, so that of two that make one at once the second finds the first's whole.
    private static func make(_ path: String) throws(StackError) {
        // The system's generator is the kernel's, fit for secrets.
        var random = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        let text = (0..<2 * randomBytes).map { _ in digits[Int(random.next() & 15)] }
        let temporary = "\(path).\(String(random.next(), radix: 36)).new"
        let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system("creating \(temporary)") }
        let file = FileDescriptor(owning: raw)
        defer { unlink(temporary) }
        guard write(file.raw, text, text.count) == text.count else { throw .system("writing \(temporary)") }
        guard link(temporary, path) == 0 || errno == EEXIST else { throw .system("making \(path)") }
    }
}
