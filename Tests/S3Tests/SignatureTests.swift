import Foundation
import S3TestServer
import Testing

@testable import StatexS3

/// The examples of AWS' documentation, "Signature Calculations for the Authorization Header".
private let published = S3Credentials(
    keyID: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
private let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

private func request(
    _ method: String, _ path: String, query: [(String, String)] = [], headers: [(String, String)] = [],
    sum: String = empty
) -> SignedRequest {
    SignedRequest(
        method: method, path: path, query: query.map { (name: $0.0, value: $0.1) },
        headers: [
            ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
            ("x-amz-content-sha256", sum),
        ] + headers.map { (name: $0.0, value: $0.1) }, payloadSHA256: sum)
}

struct SignatureTests {
    private let signature = Signature(credentials: published, region: "us-east-1", time: "20130524T000000Z")

    @Test func `signs the published example of a GET with a range`() {
        #expect(
            signature.authorization(of: request("GET", "/test.txt", headers: [("range", "bytes=0-9")]))
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func `signs the published example of a PUT, whose key has a character to encode`() {
        let sum = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        let put = request(
            "PUT", "/test$file.text",
            headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            sum: sum)
        #expect(
            signature.authorization(of: put).hasSuffix(
                "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
                    + "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
    }

    @Test func `signs the published examples of a query without and with values`() {
        #expect(
            signature.authorization(of: request("GET", "/", query: [("lifecycle", "")])).hasSuffix(
                "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
        #expect(
            signature.authorization(of: request("GET", "/", query: [("prefix", "J"), ("max-keys", "2")])).hasSuffix(
                "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test func `signs the test suite's get-vanilla, for a service of another name`() {
        let suite = Signature(
            credentials: S3Credentials(keyID: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1", service: "service", time: "20150830T123600Z")
        let vanilla = SignedRequest(
            method: "GET", path: "/",
            headers: [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")], payloadSHA256: empty)
        #expect(
            suite.authorization(of: vanilla)
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, "
                + "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
    }

    @Test(arguments: [
        (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_369_353_600, "20130524T000000Z"),
        (1_735_689_599, "20241231T235959Z"), (4_102_444_800, "21000101T000000Z"),
    ])
    func `a time is written as it is signed`(seconds: Int, text: String) {
        #expect(Signature.text(ofTime: seconds) == text)
    }

    @Test func `signs whatever botocore signs, the same way`() throws {
        let oracle = try ServerProcess(
            S3TestServer.python,
            [URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "sign.py").path])
        var random = SplitMix(state: 7)
        let texts = ["a", "b/c", "ä ö", "x+y&z=1", "~._-", "50%", "€", "A//B", "#?", "'quote'", "*()!", "\u{7F}"]
        for round in 0..<200 {
            func pick() -> String { texts.randomElement(using: &random) ?? "" }
            let sum = String((0..<64).map { _ in "0123456789abcdef".randomElement(using: &random) ?? "0" })
            var asked = SignedRequest(
                method: ["GET", "PUT", "HEAD", "DELETE"].randomElement(using: &random) ?? "GET",
                path: "/" + (0...round % 4).map { _ in pick() }.joined(separator: "/"),
                query: (0..<(round % 4)).map { (name: "q\($0)" + pick(), value: pick()) },
                headers: [], payloadSHA256: sum)
            let time = Signature.text(ofTime: Int.random(in: 0..<4_000_000_000, using: &random))
            asked.headers = [
                ("host", "bucket.example.com:9000"), ("x-amz-date", time), ("x-amz-content-sha256", sum),
                ("x-amz-copy-source", "  spaces   inside  \(round) "),
            ]
            let ours = S3Credentials(keyID: "KEY\(round)", secret: pick() + "secret/+\(round)")
            let question: [String: Any] = [
                "key": ours.keyID, "secret": ours.secret, "region": "eu-central-1", "method": asked.method,
                "host": "bucket.example.com:9000", "encoded_path": asked.encodedPath,
                "query": Dictionary(asked.query.map { ($0.name, $0.value) }) { first, _ in first },
                "headers": Dictionary(uniqueKeysWithValues: asked.headers.map { ($0.name, $0.value) }), "time": time,
            ]
            let line = try JSONSerialization.data(withJSONObject: question)
            let answer = try JSONDecoder().decode([String: String].self, from: Data(oracle.ask(line).utf8))
            #expect(asked.canonical == answer["canonical"])
            let signed = Signature(credentials: ours, region: "eu-central-1", time: time).authorization(of: asked)
            #expect(try signed.hasSuffix("Signature=" + #require(answer["signature"])))
        }
    }
}

/// The same sequence in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
