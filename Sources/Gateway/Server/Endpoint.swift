import HTTPTypes
import Hummingbird
import Logging
import StatexProtocol

/// One route: the table of all of them is what is served, what 405 answers from, and what the document is held
/// against.
struct Endpoint: Sendable {
    enum Answer: Sendable {
        /// Without a token.
        case toAnybody(@Sendable (Request, GatewayContext) async throws -> Response)
        /// To a token with one of these scopes.
        case to([Scope], @Sendable (Call) async throws -> Response)
    }

    let method: HTTPRequest.Method
    /// As OpenAPI writes it: `/v1/jobs/{id}`.
    let path: String
    let answer: Answer
    /// Whether a ticket in the query does in place of a token.
    var takesTicket = false

    init(
        _ method: HTTPRequest.Method, _ path: String, for scopes: Scope...,
        answer: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.answer = .to(scopes, answer)
    }

    /// A stream: browsers open it with a ticket.
    init(stream path: String, answer: @escaping @Sendable (Call) async throws -> Response) {
        method = .get
        self.path = path
        self.answer = .to([.read], answer)
        takesTicket = true
    }

    init(open path: String, answer: @escaping @Sendable (Request, GatewayContext) async throws -> Response) {
        method = .get
        self.path = path
        self.answer = .toAnybody(answer)
    }
}

/// A request with who asks.
struct Call: Sendable {
    let request: Request
    let context: GatewayContext
    let identity: Identity
    /// What its body takes of the memory.
    let body: BodyShare

    var logger: Logger { context.logger }

    /// The id in the path.
    func id() throws(Problem) -> JobID {
        let text = context.parameters.get("id") ?? ""
        guard let id = JobID(text), id.description == text else {
            throw .field("id", "must be a decimal number from 1 to 2^63-1, as it was answered")
        }
        return id
    }
}
