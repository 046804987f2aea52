// What an operator says about the server of one kind of jobs.

import StatexHandlerAPI

package struct HTTPSettings: Sendable {
    package var kind: String
    /// Scheme, host and port.
    package var url: String
    package var path: String
    /// For a whole attempt, besides what the job says itself.
    package var timeoutMilliseconds = 120_000
    /// To be connected, keys agreed on, within the timeout above. A server that is there answers in
    /// milliseconds; one that is not is better tried again later.
    package var connectMilliseconds = 10_000
    /// A request's payload: a recording of an hour and a half as 16 kHz FLAC takes about so much. Each slot may hold
    /// one in memory.
    package var requestBytes = 64 << 20
    /// A response. As many as a process handler may print for a result.
    package var responseBytes = 16 << 20
    /// The options that go with each recording: `model`, `language`.
    package var fields: [String: String] = [:]
    /// A PEM file of the authorities that sign the server's certificate; nil: the system's.
    package var authorities: String?
    /// Reads the key when it is needed, so that a new one in the file counts at once; nil: there is none.
    package var readKey: @Sendable () throws(UnreadableKey) -> String? = { () throws(UnreadableKey) in nil }
    /// Reads an object that has at most so many bytes.
    package var readObject: @Sendable ([UInt8], _ limit: Int) throws(HandlerError) -> [UInt8] = {
        _, _ throws(HandlerError) in throw HandlerError("object", "this worker has no object folder", retryable: false)
    }

    /// Whether the answer is more than its status.
    var readsBody = true
    /// Where the server is; who restricts that does it here, because the connection goes to one of these.
    var addresses: @Sendable (ServerAddress, Patience) throws(TransportFault) -> [SocketAddress] = {
        server, patience throws(TransportFault) in try resolve(server, patience)
    }

    package init(kind: String, url: String, path: String) {
        self.kind = kind
        self.url = url
        self.path = path
    }

    /// The endpoint takes a recording, not JSON.
    var takesAudio: Bool { path.hasSuffix("/audio/transcriptions") || path.hasSuffix("/audio/translations") }
}

/// Why there is no key; the key is no part of it.
package struct UnreadableKey: Error {
    let reason: String

    package init(_ reason: String) { self.reason = reason }
}
