import Hummingbird
import Logging

/// What belongs to one HTTP request while it is answered.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    init(source: ApplicationRequestContextSource) { coreContext = .init(source: source) }
}
