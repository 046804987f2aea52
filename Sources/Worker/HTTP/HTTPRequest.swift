// What is sent for a job: its payload as the endpoint takes it, and the head of the request.

import StatexHandlerAPI
import StatexProtocol

/// The body of a request and its type.
struct RequestBody {
    let type: String
    let bytes: [UInt8]
    var trace: TraceContext?

    init(_ job: Job, _ settings: HTTPSettings) throws(HandlerError) {
        var payload = try payloadBytes(job.payload, settings)
        if !settings.takesAudio, !job.inputs.isEmpty {
            let texts = try ResultTexts(job.inputs) { input throws(HandlerError) in try payloadBytes(input, settings) }
            payload = try texts.fill(payload, limit: settings.requestBytes)
        } else if payload.isEmpty, let first = job.inputs.first {
            // A job without a payload of its own works on what it is given.
            payload = try payloadBytes(first.payload, settings)
        }
        guard !payload.isEmpty else { throw HandlerError(.payload, "the payload is empty", retryable: false) }
        if settings.takesAudio {
            self.init(recording: payload, fields: settings.fields)
        } else {
            try checkOrder(payload, settings)
            self.init(type: "application/json", bytes: payload)
        }
        trace = job.trace
    }

    private init(type: String, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }

    /// multipart/form-data (RFC 7578).
    init(recording: [UInt8], fields: [String: String]) {
        let boundary = "statex-" + (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        var body: [UInt8] = []
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8
        }
        let sound = SoundFormat(recording)
        body +=
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(sound.fileName)\"\r\n".utf8
        body += "Content-Type: \(sound.type)\r\n\r\n".utf8
        body += recording
        body += "\r\n--\(boundary)--\r\n".utf8
        self.init(type: "multipart/form-data; boundary=\(boundary)", bytes: body)
    }

    /// The whole request. The connection serves one: a job takes far longer than to connect.
    func request(_ settings: HTTPSettings, _ server: ServerAddress, key: String?) -> [UInt8] {
        var head = """
            POST \(settings.path) HTTP/1.1\r
            Host: \(server.authority)\r
            User-Agent: statex\r
            Accept: application/json\r
            Accept-Encoding: identity\r
            Connection: close\r
            Content-Type: \(type)\r
            Content-Length: \(bytes.count)\r

            """
        if let trace { head += "traceparent: \(trace)\r\n" }
        if let key { head += "Authorization: Bearer \(key)\r\n" }
        head += "\r\n"
        return Array(head.utf8) + bytes
    }
}

/// The payload of an endpoint that takes JSON: an object that does not ask for a stream.
private func checkOrder(_ payload: [UInt8], _ settings: HTTPSettings) throws(HandlerError) {
    let object: JSONObject
    do {
        object = try JSONObject(payload)
    } catch {
        throw HandlerError(
            .payload, "the payload must be the JSON object that \(settings.path) takes: \(error)", retryable: false)
    }
    guard let stream = object.member("stream"), stream.kind != .null, object.boolean("stream") != false else { return }
    throw HandlerError(
        .payload, "the payload must not ask for a stream: a job has one result; leave `stream` out", retryable: false)
}

private func payloadBytes(_ payload: Payload, _ settings: HTTPSettings) throws(HandlerError) -> [UInt8] {
    let bytes =
        switch payload {
        case .bytes(let inline): inline
        case .object(let reference): try settings.readObject(reference, settings.requestBytes)
        }
    guard bytes.count <= settings.requestBytes else {
        throw HandlerError(
            .payload, "the payload has \(bytes.count) bytes, the limit is \(settings.requestBytes)", retryable: false)
    }
    return bytes
}
