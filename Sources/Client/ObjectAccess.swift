import Dispatch
import StatexObjects
import StatexProtocol
import Synchronization

/// The object folders of a client, opened when one is first needed, and used on threads that may wait for the disk.
final class ObjectAccess: Sendable {
    private let folders: [String]
    private let store = Mutex<(any ObjectStore)?>(nil)

    init(folders: [String]) { self.folders = folders }

    var isEmpty: Bool { folders.isEmpty }

    /// Runs `body` with the store.
    func use<T: Sendable>(
        _ body: @escaping @Sendable (any ObjectStore) throws(ObjectError) -> T
    ) async throws(ClientError) -> T {
        let result: Result<T, ObjectError> = await withCheckedContinuation { done in
            DispatchQueue.global().async {
                done.resume(returning: Result { () throws(ObjectError) in try body(try self.opened()) })
            }
        }
        do { return try result.get() } catch { throw .object(error.description) }
    }

    private func opened() throws(ObjectError) -> any ObjectStore {
        try store.withLock { store throws(ObjectError) in
            if let store { return store }
            guard let first = folders.first else { throw .path("no object folder is given") }
            let folder = try ObjectFolder(root: first, otherRoots: Array(folders.dropFirst()))
            store = folder
            return folder
        }
    }
}
