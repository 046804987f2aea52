// Jobs that an OpenAI-compatible server runs: the payload is the request's body, the result the answer's.
// A module of its own, because it alone needs FoundationNetworking.

import Foundation
import FoundationNetworking
import StatexHandlerAPI

/// Sends each job of one kind to one endpoint of an OpenAI-compatible server.
package final class HTTPHandler: Handler {
    package let kind: String
    private let settings: HTTPHandlerSettings
    private let url: URL
    private let exchanges: Exchanges

    /// - Throws: when the settings cannot work; the text names the key.
    package init(kind: String, _ settings: HTTPHandlerSettings) throws(HTTPHandlerSettings.Problem) {
        self.kind = kind
        self.settings = settings
        url = try settings.endpoint()
        exchanges = Exchanges()
    }

    package func run(_ job: Job) async throws -> Payload {
        let body = try content(of: job)
        let request = settings.sendsAudio ? form(body) : try json(body)
        let answer = try await exchanges.perform(
            request, limits: settings, cancellation: job.cancellation)
        return .bytes(try AnswerRules(settings).result(of: answer, now: Date()))
    }

    package func close() async { exchanges.close() }

    private func content(of job: Job) throws(HandlerError) -> [UInt8] {
        switch job.payload {
        case .bytes(let bytes): return bytes
        case .object(let reference):
            guard let source = settings.objectSource else {
                throw HandlerError("objects", "this worker has no object folder to read the payload from")
            }
            return try source(reference)
        }
    }

    private func json(_ body: [UInt8]) throws(HandlerError) -> URLRequest {
        let data = Data(body)
        guard let order = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] else {
            throw HandlerError(
                "bad_payload", "the payload of \(kind) is the JSON object of the request", retryable: false)
        }
        guard order["stream"] as? Bool != true else {
            throw HandlerError("bad_payload", "\"stream\" must not be true: a job has one result", retryable: false)
        }
        var request = request(contentType: "application/json")
        request.httpBody = data
        return request
    }

    /// `multipart/form-data` with the audio as `file` and the configured fields.
    private func form(_ audio: [UInt8]) -> URLRequest {
        // 128 random bits: no content holds them by chance or on purpose.
        let boundary =
            "statex-" + String(UInt64.random(in: .min ... .max), radix: 36)
            + String(UInt64.random(in: .min ... .max), radix: 36)
        var data = Data()
        for (name, value) in settings.fields.sorted(by: { $0.key < $1.key }) {
            data.append(
                contentsOf: "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8
            )
        }
        data.append(
            contentsOf: """
                --\(boundary)\r\nContent-Disposition: form-data; name="file"; filename="audio"\r\n\
                Content-Type: application/octet-stream\r\n\r\n
                """.utf8)
        data.append(contentsOf: audio)
        data.append(contentsOf: "\r\n--\(boundary)--\r\n".utf8)
        var request = request(contentType: "multipart/form-data; boundary=\(boundary)")
        request.httpBody = data
        return request
    }

    private func request(contentType: String) -> URLRequest {
        var request = URLRequest(url: url, timeoutInterval: settings.timeout)
        request.httpMethod = "POST"
        request.setValue(contentType, forHTTPHeaderField: "Content-Type")
        request.setValue("application/json", forHTTPHeaderField: "Accept")
        if let key = settings.key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        return request
    }
}
