import Dispatch
import Foundation
import StatexObjects
import StatexProtocol
import StatexS3
import Synchronization

/// Where the objects of a client lie: opened when one is first needed, and used on threads that may wait for the disk
/// and for the network.
final class ObjectAccess: Sendable {
    private struct State {
        /// nil: not known yet, the scheduler names them.
        var locations: [String]?
        var stores: Stores?
    }
    private let state: Mutex<State>
    private let s3: S3Settings

    init(_ locations: [String]?, _ s3: S3Access) {
        state = Mutex(State(locations: locations))
        self.s3 = S3Settings(s3)
    }

    var isKnown: Bool { state.withLock { $0.locations != nil } }
    var isEmpty: Bool { state.withLock { $0.locations?.isEmpty ?? true } }

    /// Takes over what a scheduler's status names; folders are of use on its machine only.
    func learn(from status: String) {
        let json = try? JSONSerialization.jsonObject(with: Data(status.utf8)) as? [String: Any]
        let named = json?["objects"] as? [String] ?? []
        state.withLock { state in
            if state.locations == nil { state.locations = named }
        }
    }

    /// Runs `body` with the stores.
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

    private func opened() throws(ObjectError) -> Stores {
        try state.withLock { state throws(ObjectError) in
            if let stores = state.stores { return stores }
            guard let stores = try Stores.open(state.locations ?? [], s3) else {
                throw .path("no place for objects is given, and the scheduler names none (key `objects`)")
            }
            state.stores = stores
            return stores
        }
    }
}

extension S3Settings {
    package init(_ access: S3Access) {
        self.init(
            endpoint: access.endpoint, region: access.region, addressing: access.namesBucketInHost ? .host : .path,
            credentials: access.credentialsFile.map(CredentialSource.file) ?? .environment,
            authorities: access.authoritiesFile)
    }
}
