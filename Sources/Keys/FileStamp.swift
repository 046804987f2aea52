import Glibc

/// Tells whether a file is another one than before: exchanged, written to, or given to others. A file that was refused
/// for its mode is looked at again once that is mended, though nobody wrote to it.
package struct FileStamp: Sendable, Equatable {
    private let file: UInt64
    private let size: Int
    private let mode: UInt32
    private let user: UInt32
    private let group: UInt32
    private let written: Moment
    private let changed: Moment

    private struct Moment: Sendable, Equatable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) { (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec) }
    }

    /// nil: there is none.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        file = UInt64(status.st_ino)
        size = Int(status.st_size)
        // Beside the moment of the change: two changes may have the same.
        (mode, user, group) = (status.st_mode, status.st_uid, status.st_gid)
        written = Moment(status.st_mtim)
        changed = Moment(status.st_ctim)
    }
}
