import CLinux
import Glibc

/// An open file that is closed when its owner lets go of it. Always close-on-exec.
package struct FileDescriptor: ~Copyable, Sendable {
    /// Valid while this value lives; never close it yourself.
    package let raw: Int32

    /// Takes over a descriptor that nobody else will close.
    package init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// Gives the descriptor away: whoever gets it closes it.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// Opens a path as it stands, links followed: for paths that the operator or the user of this
    /// process named, never for one that came in a message. `O_NONBLOCK`, so that a FIFO without a
    /// writer cannot hold us; it means nothing for a regular file.
    package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(ObjectError) -> FileDescriptor {
        guard !path.utf8.contains(0) else { throw .path("\(quoted(path)) contains a NUL byte") }
        let raw = Glibc.open(path, flags | O_CLOEXEC | O_NONBLOCK, mode)
        guard raw >= 0 else { throw .system("opening \(quoted(path))", errno) }
        return FileDescriptor(owning: raw)
    }

    /// Opens a path below this directory, through no link of any kind; see `clinux_open_beneath`.
    package borrowing func openBeneath(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(ObjectError)
        -> FileDescriptor
    {
        guard !path.utf8.contains(0) else { throw .path("\(quoted(path)) contains a NUL byte") }
        let result = clinux_open_beneath(raw, path, flags, Int32(mode))
        switch result {
        case 0...: return FileDescriptor(owning: result)
        case -ENOSYS: throw .unsupported
        case -EXDEV: throw .path("\(quoted(path)) leads out of the object folder")
        case -ELOOP: throw .path("\(quoted(path)) goes through a symbolic link")
        case -ENOENT, -ENOTDIR: throw .notFound(path)
        default: throw .system("opening \(quoted(path))", -result)
        }
    }

    /// The file's size.
    /// - Throws: when it is not a regular file.
    package borrowing func regularFileSize() throws(ObjectError) -> UInt64 {
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw .system("reading the file's status", errno) }
        guard status.st_mode & S_IFMT == S_IFREG, let size = UInt64(exactly: status.st_size) else { throw .notRegular }
        return size
    }

    /// Reads up to `buffer.count` bytes from where the file stands; 0 at its end.
    package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(ObjectError) -> Int {
        while true {
            let count = Glibc.read(raw, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw .system("reading", errno) }
        }
    }

    /// The next bytes: so many, or fewer if the file ends before.
    package borrowing func read(_ count: Int) throws(ObjectError) -> [UInt8] {
        var failure: ObjectError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(ObjectError) {
                while filled < count {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                    let read = try read(into: rest)
                    if read == 0 { break }
                    filled += read
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all of `bytes` where the file stands.
    package borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(ObjectError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(raw, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .system("writing", errno)
            }
        }
    }

    /// Waits until the file, or the directory's entries, are on the disk.
    package borrowing func synchronize() throws(ObjectError) {
        while fsync(raw) != 0 {
            guard errno == EINTR else { throw .system("fsync", errno) }
        }
    }
}
