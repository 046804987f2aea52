import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import StatexClient
import StatexObjects
import Synchronization
import Testing

@testable import StatexGateway
@testable import StatexReads

/// Contents that are answered in pieces.
final class DownloadTests {
    private let folder = NSTemporaryDirectory() + "statex-downloads-\(UInt64.random(in: .min ... .max))"

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private final class Steps: Sendable {
        let list = Mutex<[String]>([])
        func add(_ step: String) { list.withLock { $0.append(step) } }
    }

    private struct Writer: ResponseBodyWriter {
        let steps: Steps
        func write(_ buffer: ByteBuffer) { steps.add("\(buffer.readableBytes) bytes") }
        consuming func finish(_ trailingHeaders: HTTPFields?) { steps.add("end") }
    }

    @Test func `a file is read no faster than its pieces come to the connection`() async throws {
        let object = try ObjectFolder(root: folder).begin(limit: 1 << 20)
        try [UInt8](repeating: 7, count: 150_000).withUnsafeBytes { try object.write($0) }
        let reference = try object.finish()
        let reader = ObjectReader(places: ObjectPlaces([folder], S3Access(), logger: Scene.logger))
        let steps = Steps()
        let response = try await reader.response(
            Content(encoding: .object, bytes: Array(reference.text)), called: "x",
            to: Hummingbird.Request(
                head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/"),
                body: .init(buffer: ByteBuffer())), settle: { steps.add("come") })
        try await response.body.write(Writer(steps: steps))
        #expect(
            steps.list.withLock { $0 } == [
                "65536 bytes", "come", "65536 bytes", "come", "18928 bytes", "come", "end",
            ])
    }
}
