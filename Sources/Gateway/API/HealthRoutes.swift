import Hummingbird
import StatexProtocol

/// `/livez` and `/readyz`: for supervisors and load balancers, so without a token, and without a secret.
struct HealthRoutes: Sendable {
    let readiness: Readiness

    var endpoints: [Endpoint] {
        [
            Endpoint(open: "/livez") { _, _ in Response(body: Array(#"{"alive":true}"#.utf8)) },
            Endpoint(open: "/readyz") { _, _ in Self.response(await readiness.reasons()) },
        ]
    }

    private static func response(_ reasons: [Readiness.Reason]) -> Response {
        var text = JSONText()
        text.object {
            $0.member("ready", reasons.isEmpty)
            $0.array("reasons", reasons) {
                $1.member("part", $0.part)
                $1.member("reason", $0.text)
            }
        }
        return Response(json: text, status: reasons.isEmpty ? .ok : .serviceUnavailable)
    }
}
