import FoundationEssentials
import StatexHandlerAPI

extension Job {
    /// The payload as JSON; an empty payload is `{}`.
    func order<Order: Decodable>(_ type: Order.Type, like example: String) throws(HandlerError) -> Order {
        guard case .bytes(let bytes) = payload else {
            throw HandlerError("bad_payload", "\(kind) takes an inline payload like \(example)", retryable: false)
        }
        do {
            return try JSONDecoder().decode(type, from: bytes.isEmpty ? Data("{}".utf8) : Data(bytes))
        } catch {
            throw HandlerError("bad_payload", "\(kind) takes JSON like \(example)", retryable: false)
        }
    }
}
