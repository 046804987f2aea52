import Glibc

extension FileDescriptor {
    /// An empty file without a name, to be read and written: it is gone when its descriptor is closed.
    /// - Parameter directory: on a disk, for what is large.
    package static func temporary(in directory: String) throws(ObjectError) -> FileDescriptor {
        let path = directory + "/.statex-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        unlink(path)
        return file
    }

    /// Where files without a name are made: `TMPDIR`, else `/var/tmp`, which is on a disk where `/tmp` is memory.
    package static var temporaryDirectory: String {
        if let named = getenv("TMPDIR"), named.pointee != 0 { return String(cString: named) }
        return "/var/tmp"
    }

    /// Stands so many bytes behind the file's beginning.
    package borrowing func seek(to offset: UInt64) throws(ObjectError) {
        guard lseek(raw, off_t(clamping: offset), SEEK_SET) >= 0 else { throw .system("seeking", errno) }
    }

    /// Stands at the file's beginning again.
    package borrowing func rewind() throws(ObjectError) { try seek(to: 0) }

    /// Empties the file.
    package borrowing func truncate() throws(ObjectError) {
        guard ftruncate(raw, 0) == 0 else { throw .system("truncating", errno) }
        try rewind()
    }

    /// Opens the same file once more, to be read alone, from its beginning.
    package borrowing func readOnly() throws(ObjectError) -> FileDescriptor {
        let reader = Glibc.open("/proc/self/fd/\(raw)", O_RDONLY | O_CLOEXEC)
        guard reader >= 0 else { throw .system("opening a temporary file", errno) }
        return FileDescriptor(owning: reader)
    }
}
