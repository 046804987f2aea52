import Logging
import NIOPosix
import StatexClient
import StatexObjects
import StatexS3
import Synchronization

/// The gateway's object stores: opened when they are first needed, and used on threads that may wait for a disk or a
/// network.
final class ObjectPlaces: Sendable {
    private let locations: [String]
    private let s3: S3Access
    private let logger: Logger
    private let opened = Mutex<Stores?>(nil)

    /// For the whole process, and never ended: a thread may be waiting for a store when the gateway ends.
    private static let threads = {
        let threads = NIOThreadPool(numberOfThreads: GatewayLimits.objectThreads)
        threads.start()
        return threads
    }()

    init(_ locations: [String], _ s3: S3Access, logger: Logger) {
        self.locations = locations
        self.s3 = s3
        self.logger = logger
    }

    /// Does `work` with the stores on a thread of theirs. What a store said is for the log.
    func use<T: Sendable>(_ work: @escaping @Sendable (Stores) throws -> T) async throws -> T {
        do {
            return try await Self.threads.runIfActive { try work(self.stores()) }
        } catch let error as ObjectError {
            let problem = Problem(error)
            if problem.status.kind == .serverError { logger.warning("objects: \(error)") }
            throw problem
        }
    }

    private func stores() throws(ObjectError) -> Stores {
        try opened.withLock { opened throws(ObjectError) in
            if let opened { return opened }
            guard let stores = try Stores.open(locations, S3Settings(s3)) else {
                throw .path("no place for objects is configured (key `objects`)")
            }
            opened = stores
            return stores
        }
    }
}
