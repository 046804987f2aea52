import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexPage
import Testing

@testable import StatexGateway

/// How the page's files are served; what is in them is held by Tests/PageTests, in a browser.
struct PageTests {
    @Test func `every file of the page is compiled in, under its name`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/Gateway/Page")
        var files: [String: Data] = [:]
        let names = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let url as URL in names where !url.hasDirectoryPath && url.pathExtension != "swift" {
            #expect(files[url.lastPathComponent] == nil, "two files have the name \(url.lastPathComponent)")
            files[url.lastPathComponent] = try Data(contentsOf: url)
        }
        let served = ([.index] + PageFile.assets).map { ($0.name, Data($0.bytes)) }
        #expect(Dictionary(uniqueKeysWithValues: served) == files)
    }

    @Test func `the page comes without a token, and may run nothing but its own files`() async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            let page = try await client.execute(uri: "/", method: .get)
            #expect(page.status == .ok && page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(page.headers[.contentSecurityPolicy]?.contains("script-src 'self';") == true)
            #expect(page.headers[.contentSecurityPolicy]?.contains("unsafe") == false)
            #expect(page.headers[.contentSecurityPolicy]?.contains("frame-ancestors 'none'") == true)
            #expect(page.headers[PageHeaders.permissionsPolicy] == "microphone=(self), camera=(), geolocation=()")
            #expect(page.headers[.xContentTypeOptions] == "nosniff")
            // What it names, it gets.
            let text = String(buffer: page.body)
            for match in text.matches(of: /(?:href|src)="(\/assets\/[^"]+)"/) {
                let asset = try await client.execute(uri: String(match.1), method: .get)
                #expect(asset.status == .ok, "\(match.1)")
            }
            for file in PageFile.assets {
                let asset = try await client.execute(uri: "/assets/\(file.name)", method: .get)
                #expect(asset.status == .ok && Array(asset.body.readableBytesView) == file.bytes)
                #expect(asset.headers[.contentType] == file.type)
            }
        }
    }

    @Test(arguments: [
        "/assets/nothing.js", "/assets/..%2Findex.html", "/assets/app/main.js", "/assets/", "/index.html",
    ])
    func `nothing else is served`(path: String) async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(uri: path, method: .get)
            #expect(response.status == .notFound)
            #expect(try ReadProblem(response).code == "no_such_path")
            #expect(response.headers[.contentSecurityPolicy]?.contains("sandbox") == true)
        }
    }

    @Test func `who has a file is told so`() async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            let first = try await client.execute(uri: "/assets/main.js", method: .get)
            let tag = try #require(first.headers[.eTag])
            #expect(first.headers[.cacheControl] == "no-cache")
            for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                let again = try await client.execute(
                    uri: "/assets/main.js", method: .get, headers: [.ifNoneMatch: known])
                #expect(again.status == .notModified && again.body.readableBytes == 0, "\(known)")
                #expect(again.headers[.eTag] == tag)
            }
            for other in ["\"other\"", "", String(tag.dropLast())] {
                let again = try await client.execute(
                    uri: "/assets/main.js", method: .get, headers: [.ifNoneMatch: other])
                #expect(again.status == .ok, "\(other)")
            }
            let head = try await client.execute(uri: "/", method: .head)
            #expect(head.status == .ok && head.body.readableBytes == 0)
        }
    }
}
