import ServiceLifecycle

/// Has the file with the keys of tokens looked at now and then.
struct TokenWatch: Service {
    let tokens: TokensInForce
    var pause = GatewayLimits.tokenPause

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: pause)) != nil { await tokens.look() }
        }
    }
}
