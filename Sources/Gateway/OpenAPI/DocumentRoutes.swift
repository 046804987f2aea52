import Hummingbird

/// `/openapi.json`: the document, for everybody.
struct DocumentRoutes: Sendable {
    /// With itself among them.
    let endpoints: [Endpoint]

    /// - Parameter others: all other routes.
    init(describing others: [Endpoint]) {
        let path = "/openapi.json"
        // The table needs the path before there is an answer.
        let table = others + [Endpoint(open: path) { _, _ in throw Problem.noSuchPath }]
        let document = Document(table).json
        endpoints = others + [Endpoint(open: path) { _, _ in Response(body: document) }]
    }
}
