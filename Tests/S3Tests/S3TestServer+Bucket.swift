import Foundation
import S3TestServer
import StatexObjects

@testable import StatexS3

extension S3TestServer {
    /// With a patience that suits a test.
    func bucket(
        _ name: String = "objects", prefix: String = "", _ change: (inout S3Settings) -> Void = { _ in }
    ) throws -> S3Bucket {
        var settings = S3Settings(
            endpoint: endpoint, credentials: .file(credentialsFile), authorities: authority)
        settings.patience.firstPause = .milliseconds(1)
        settings.temporaryDirectory = directory
        change(&settings)
        return try S3Bucket(name, prefix: prefix, settings)
    }

    /// Writes a file of the test's own beside the server's.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = directory + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }
}
