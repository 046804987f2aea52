import Glibc

/// Where a socket listens, and whether whoever connects there still reaches it.
///
/// Binding an `ipc://` endpoint takes its path from whoever had it, without a word to either. Of two schedulers
/// that start at once, the one that is not the owner may bind last; and a path may be removed by hand.
package struct BoundEndpoint: Sendable {
    private let endpoint: String
    /// What the path led to when we bound it; nil: an endpoint that nobody can take.
    private var file: FileIdentity?

    private struct FileIdentity: Sendable, Equatable {
        var device: UInt64
        var inode: UInt64

        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    package init(_ endpoint: String, of socket: borrowing Socket) throws(ZeroMQError) {
        self.endpoint = endpoint
        try bind(socket)
    }

    /// Binds anew if the path leads elsewhere. The listener before stays with its connections: to unbind it would
    /// end them.
    /// - Returns: whether it did.
    package mutating func reclaim(for socket: borrowing Socket) throws(ZeroMQError) -> Bool {
        guard let path, FileIdentity(of: path) != file else { return false }
        try bind(socket)
        return true
    }

    private var path: String? {
        // An abstract name (`@`) is taken as a port is: once.
        guard endpoint.hasPrefix("ipc://"), !endpoint.hasPrefix("ipc://@") else { return nil }
        return String(endpoint.dropFirst(6))
    }

    /// Under a name that nobody else knows and then moved: so what the path leads to is known to be ours, and there is
    /// no moment without it.
    private mutating func bind(_ socket: borrowing Socket) throws(ZeroMQError) {
        guard let path, let slash = path.lastIndex(of: "/") else { return try socket.bind(endpoint) }
        let name = path[...slash] + String(UInt32.random(in: .min ... .max), radix: 36)
        try socket.bind("ipc://\(name)")
        let identity = FileIdentity(of: String(name))
        guard rename(String(name), path) == 0 else {
            let error = ZeroMQError(call: "bind \(endpoint)", code: errno)
            // Nobody knows of it yet, so no connection ends.
            try socket.unbind("ipc://\(name)")
            unlink(String(name))
            throw error
        }
        file = identity
    }
}
