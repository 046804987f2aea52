import Dispatch
import Foundation
import StatexObjects
import StatexProtocol
import Synchronization

/// The object folders of a client, opened when one is first needed, and used on threads that may wait for the disk.
final class ObjectAccess: Sendable {
    private struct State {
        /// nil: not known yet, the scheduler names them.
        var folders: [String]?
        var store: (any ObjectStore)?
    }
    private let state: Mutex<State>

    init(folders: [String]?) { state = Mutex(State(folders: folders)) }

    var isKnown: Bool { state.withLock { $0.folders != nil } }
    var isEmpty: Bool { state.withLock { $0.folders?.isEmpty ?? true } }

    /// Takes the folders over that a scheduler's status names; they are of use on its machine only.
    func learn(from status: String) {
        let json = try? JSONSerialization.jsonObject(with: Data(status.utf8)) as? [String: Any]
        let named = json?["objects"] as? [String] ?? []
        state.withLock { state in
            if state.folders == nil { state.folders = named }
        }
    }

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
        try state.withLock { state throws(ObjectError) in
            if let store = state.store { return store }
            guard let folders = state.folders, let first = folders.first else {
                throw .path("no object folder is given, and the scheduler names none")
            }
            let folder = try ObjectFolder(root: first, otherRoots: Array(folders.dropFirst()))
            state.store = folder
            return folder
        }
    }
}
