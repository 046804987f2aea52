import Glibc

extension ObjectFolder {
    package func check() throws(ObjectError) {
        guard faccessat(root.raw, ".", R_OK | W_OK | X_OK, 0) == 0 else {
            throw .system("using the object folder \(quoted(path))", errno)
        }
    }

    package func forEachObject(_ body: (StoredObject) throws(ObjectError) -> Void) throws(ObjectError) {
        for folder in try root.names() where folder.utf8.count == 2 && folder != ".." {
            guard let directory = try? root.openBeneath(folder, Flags.directory) else { continue }
            for name in try directory.names() where name.hasPrefix(folder) {
                guard let sha256 = SHA256Digest(hex: name), let status = directory.status(of: name) else { continue }
                try body(StoredObject(sha256: sha256, size: UInt64(status.st_size), putAt: status.modified))
            }
        }
    }

    /// Under a lock that whoever puts holds the other side of: it is the old file that goes, or none.
    package func remove(_ object: StoredObject, unlessPutAfter limit: Int64) throws(ObjectError) -> Bool {
        let name = object.sha256.hex
        let directory: FileDescriptor
        do throws(ObjectError) {
            directory = try root.openBeneath(String(name.prefix(2)), Flags.directory)
        } catch .notFound {
            return false
        }
        // A file system without locks has a window of microseconds.
        _ = flock(directory.raw, LOCK_EX)
        guard let status = directory.status(of: name), status.modified <= limit else { return false }
        if unlinkat(directory.raw, name, 0) == 0 { return true }
        if errno == ENOENT { return false }
        throw .system("removing \(quoted(object.path))", errno)
    }
}

extension FileDescriptor {
    /// Of a regular file in this directory.
    fileprivate borrowing func status(of name: String) -> stat? {
        var status = stat()
        guard fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return status
    }
}

extension stat {
    /// Microseconds since 1970.
    fileprivate var modified: Int64 { Int64(st_mtim.tv_sec) * 1_000_000 + Int64(st_mtim.tv_nsec) / 1_000 }
}
