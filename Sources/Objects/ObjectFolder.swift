// Objects as files in a folder, named by their content: `ab/abcdef…`.
//
// The client puts inputs here before it submits, the worker puts large results here before it reports
// an outcome. Both may be other processes, on other machines that share the folder.

import Glibc

enum Flags {
    static let read = O_RDONLY
    static let directory = O_RDONLY | O_DIRECTORY
    static let create = O_WRONLY | O_CREAT | O_EXCL
}

package final class ObjectFolder: ObjectPlace {
    /// Begins the names of files that are being written.
    static let temporaryPrefix = ".incoming-"
    /// Who writes a file holds its lock; without one, and silent for so many seconds, it was left by a process that
    /// died. (On a folder that several machines share, locks may be each machine's own.)
    private static let silence = 60

    package let path: String
    let root: FileDescriptor
    package var scheme: ObjectReference.Scheme { .file }
    package var location: String { path }

    /// Opens the folder, creating it when it is missing.
    package init(root path: String) throws(ObjectError) {
        self.path = path
        try Self.create(path)
        root = try FileDescriptor.open(path, Flags.directory)
        removeLeftovers()
    }

    /// Missing parents may be passed through by others (the database of the same data directory runs as
    /// another user), the folder itself not.
    private static func create(_ path: String) throws(ObjectError) {
        var prefix = path.hasPrefix("/") ? "" : "."
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            let parent = prefix.isEmpty ? "/" : prefix
            prefix += "/" + part
            if mkdir(prefix, index == parts.count - 1 ? 0o750 : 0o711) == 0 {
                try FileDescriptor.open(parent, Flags.directory).synchronize()
            } else if errno != EEXIST {
                throw .system("creating the object folder \(quoted(path))", errno)
            }
        }
    }

    package func open(_ reference: ObjectReference) throws(ObjectError) -> FileDescriptor {
        let file = try root.openBeneath(reference.path, Flags.read | O_NONBLOCK | O_NOCTTY)
        let size = try file.regularFileSize()
        guard size == reference.size else { throw .size(expected: reference.size, found: size) }
        return file
    }

    package func part(_ range: Range<UInt64>, of reference: ObjectReference) throws(ObjectError) -> [UInt8] {
        let file = try open(reference)
        try file.seek(to: range.lowerBound)
        let bytes = try file.read(Int(clamping: range.count))
        // It was cut under our hands.
        guard bytes.count == range.count else {
            throw .size(expected: reference.size, found: range.lowerBound + UInt64(bytes.count))
        }
        return bytes
    }

    /// Writes to a temporary name while hashing, and renames: whatever stood under the name, also a
    /// file that was cut or corrupted, is replaced by what was written here.
    package func begin(limit: UInt64) throws(ObjectError) -> IncomingObject {
        let temporary = Self.temporaryPrefix + String(UInt64.random(in: .min ... .max), radix: 36)
        let file = try root.openBeneath(temporary, Flags.create, mode: 0o640)
        // A file system without locks has the silence alone.
        _ = flock(file.raw, LOCK_EX | LOCK_NB)
        return try IncomingObject(file, limit: limit) { [self] written throws(ObjectError) in
            try keep(written, temporary)
        } discard: { [self] in
            // Once it was renamed there is none.
            unlinkat(root.raw, temporary, 0)
        }
    }

    private func keep(
        _ written: borrowing IncomingObject.Written, _ temporary: String
    ) throws(ObjectError) -> ObjectReference {
        try written.file.synchronize()
        let path = StoredObject.path(of: written.sha256)
        let folder = String(path.prefix(2))
        if mkdirat(root.raw, folder, 0o750) != 0, errno != EEXIST { throw .system("creating a folder", errno) }
        let directory = try root.openBeneath(folder, Flags.directory)
        // A sweep looks at the old file and removes it under the other lock.
        _ = flock(directory.raw, LOCK_SH)
        guard renameat(root.raw, temporary, directory.raw, written.sha256.hex) == 0 else {
            throw .system("renaming", errno)
        }
        try directory.synchronize()
        // Also when the folder was there: whoever made it may not have come this far yet.
        try root.synchronize()
        return try ObjectReference(path: path, size: written.size, sha256: written.sha256)
    }

    private func isUnlocked(_ name: String) -> Bool {
        guard let file = try? root.openBeneath(name, Flags.read | O_NONBLOCK) else { return false }
        return flock(file.raw, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
    }

    /// Deletes what processes left that died while they wrote.
    private func removeLeftovers() {
        let now = time(nil)
        for name in (try? root.names()) ?? [] where name.hasPrefix(Self.temporaryPrefix) {
            var status = stat()
            guard fstatat(root.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                now - status.st_mtim.tv_sec > Self.silence, isUnlocked(name)
            else { continue }
            unlinkat(root.raw, name, 0)
        }
    }
}

extension FileDescriptor {
    /// The names in this directory.
    borrowing func names() throws(ObjectError) -> [String] {
        // A directory's stream owns its descriptor, and stands where that one stands.
        let copy = openat(raw, ".", Flags.directory | O_CLOEXEC)
        guard copy >= 0, let listing = fdopendir(copy) else { throw .system("listing a directory", errno) }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }
}
