import Glibc
import StatexConfiguration

/// Who Postgres runs as: it refuses to run as root.
package struct OrdinaryUser: Sendable, Equatable {
    package let name: String
    package let uid: uid_t
    package let gid: gid_t

    package static var current: OrdinaryUser? { find(uid: geteuid()) }

    package static func find(uid: uid_t) -> OrdinaryUser? {
        lookUp { getpwuid_r(uid, $0, $1, $2, $3) }
    }

    package static func find(name: String) -> OrdinaryUser? {
        lookUp { getpwnam_r(name, $0, $1, $2, $3) }
    }

    private static func lookUp(
        _ call: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) -> OrdinaryUser? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer -> OrdinaryUser? in
            guard let start = buffer.baseAddress, call(&entry, start, buffer.count, &found) == 0, let found else {
                return nil
            }
            return OrdinaryUser(
                name: String(cString: found.pointee.pw_name), uid: found.pointee.pw_uid, gid: found.pointee.pw_gid)
        }
    }

    /// As root: the configured user, else `postgres`, else `nobody`. Otherwise whoever we are.
    static func choose(configured: String?) throws(StackError) -> OrdinaryUser {
        guard geteuid() == 0 else {
            guard let user = current else {
                throw StackError(
                    "user \(geteuid()) has no entry in /etc/passwd, and Postgres needs one; add one, or name a database (key `database`)"
                )
            }
            return user
        }
        if let configured {
            guard let user = find(name: configured) else {
                throw StackError("postgres_user: there is no user \(configured); create it or name another")
            }
            guard user.uid != 0 else {
                throw StackError("postgres_user: Postgres refuses to run as root; name an ordinary user")
            }
            return user
        }
        guard let user = find(name: "postgres") ?? find(name: "nobody"), user.uid != 0 else {
            throw StackError(
                "Postgres refuses to run as root and there is neither a user `postgres` nor `nobody`; name one with the key postgres_user"
            )
        }
        return user
    }

    /// Checks that this user can reach a directory. Tried as that user, because modes are not all that
    /// decides (access lists, security modules).
    func checkReaches(_ directory: String) throws(StackError) {
        guard uid != geteuid() else { return }
        guard try !reaches(directory) else { return }
        var blocking = directory
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/" + part
            if try !reaches(path) {
                blocking = path
                break
            }
        }
        throw StackError(
            "Postgres cannot run as root, and user \(name) cannot reach \(directory): it may not enter \(blocking). "
                + "Choose a data_dir that it can reach, such as /var/lib/statex, or run: chmod o+x \(blocking)")
    }

    private func reaches(_ directory: String) throws(StackError) -> Bool {
        try ChildProcess.run(Command("/usr/bin/test", ["-x", directory], user: self), limit: .seconds(10)) == .exited(0)
    }
}
