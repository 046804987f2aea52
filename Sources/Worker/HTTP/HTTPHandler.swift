// Runs jobs by asking a server that speaks the OpenAI HTTP API. The job's payload is the body for the
// endpoint, the server's JSON is the result.
//
// The client is this room's own, on sockets and OpenSSL: one request over HTTP/1.1, with bounds on all
// that arrives. docs/decisions/0004-http-client.md says why.

import Glibc
import StatexHandlerAPI
import StatexProtocol
import StatexThreads

package struct HTTPHandler: Handler {
    package let settings: HTTPSettings
    package var kind: String { settings.kind }

    package init(_ settings: HTTPSettings) { self.settings = settings }

    /// What is wrong on this side. A server that does not answer now may do so when a job comes.
    package func unavailable() async -> String? {
        do throws(HandlerError) {
            _ = try ServerAddress(url: settings.url)
            _ = try readKey()
            if let authorities = settings.authorities, access(authorities, R_OK) != 0 {
                return "ca_file \(authorities): \(systemReason())"
            }
            return nil
        } catch {
            return error.message
        }
    }

    /// Blocks the calling thread until the attempt is over.
    package func run(_ job: Job) async throws -> Payload { try attempt(job) }

    func attempt(_ job: Job) throws(HandlerError) -> Payload {
        try Exchange.stopping(with: job) { stop throws(HandlerError) in
            let server = try ServerAddress(url: settings.url)
            let key = try readKey()
            let request = try RequestBody(job, settings).request(settings, server, key: key)
            let response = try Exchange(job, settings, server, stop: stop).ask(request)
            return .bytes(try result(response, key: key))
        }
    }

    private func readKey() throws(HandlerError) -> String? {
        do throws(UnreadableKey) {
            return try settings.readKey()
        } catch {
            throw HandlerError(.key, error.reason, retryable: true)
        }
    }

    /// The server's JSON, byte for byte.
    private func result(_ response: ResponseParser, key: String?) throws(HandlerError) -> [UInt8] {
        guard let head = response.head else { throw HandlerError(ResponseFault.cut) }
        guard (200..<300).contains(head.status) else {
            throw HandlerError(refusedBy: response, head: head, key: key, now: time(nil))
        }
        do {
            _ = try JSONObject(response.body)
        } catch {
            throw HandlerError(.response, "the server's response is not a JSON object: \(error)", retryable: true)
        }
        guard !repeats(key, in: response.body) else {
            throw HandlerError(.response, "the server's response repeats the key", retryable: false)
        }
        return response.body
    }
}
