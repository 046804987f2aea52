import Glibc
import StatexObjects

/// Creates a directory (not its parents) if it is missing, and gives it mode and owner either way.
func makeDirectory(_ path: String, mode: mode_t, owner: OrdinaryUser?) throws(StackError) {
    if mkdir(path, mode) != 0, errno != EEXIST { throw .system("creating \(path)") }
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("opening the directory \(path)") }
    let directory = FileDescriptor(owning: descriptor)
    if let owner, fchown(directory.raw, owner.uid, owner.gid) != 0 {
        throw .system("giving \(path) to user \(owner.name)")
    }
    guard fchmod(directory.raw, mode) == 0 else { throw .system("setting the mode of \(path)") }
}

/// Creates a directory and its parents where they are missing; those that are there stay as they are.
package func makePath(_ path: String, mode: mode_t) throws(StackError) {
    var prefix = ""
    for part in path.split(separator: "/") {
        prefix += "/" + part
        if mkdir(prefix, mode) != 0, errno != EEXIST { throw .system("creating \(prefix)") }
    }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw StackError("\(path) is not a directory")
    }
}

/// Writes a file under another name and renames it, so that a reader sees the old or the new one whole.
func replaceFile(_ path: String, with bytes: [UInt8], mode: mode_t, owner: OrdinaryUser? = nil) throws(StackError) {
    let temporary = "\(path).\(getpid()).new"
    unlink(temporary)
    let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    guard raw >= 0 else { throw .system("creating \(temporary)") }
    let file = FileDescriptor(owning: raw)
    guard write(file.raw, bytes, bytes.count) == bytes.count else {
        unlink(temporary)
        throw .system("writing \(temporary)")
    }
    if let owner, fchown(file.raw, owner.uid, owner.gid) != 0 {
        throw .system("giving \(temporary) to user \(owner.name)")
    }
    guard rename(temporary, path) == 0 else { throw .system("renaming \(temporary)") }
}
