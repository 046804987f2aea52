import StatexConfiguration
import StatexGateway
import StatexStack

extension LoadedConfiguration {
    /// Whose tokens the gateway believes: the operator's, or those of a secret of its own in the data directory.
    func gatewayTokens() throws -> TokenSettings {
        guard let configured = configuration.gateway.tokens else {
            do throws(StackError) {
                let secret = try DevelopmentKey.secret(inDataDirectory: configuration.dataDirectory)
                return TokenSettings(keys: .secret(secret), audience: TokenConfiguration.standardAudience)
            } catch {
                throw ending(.failed, "the development secret: \(error)")
            }
        }
        let text: String
        do throws(ConfigurationError) { text = try configured.readKeys() } catch {
            throw ending(.usage, error.description)
        }
        let keys: TokenSettings.Keys =
            switch configured.algorithm {
            case .hs256: .secret(Array(text.utf8))
            case .rs256: .rsa(jwks: text)
            case .es256: .ecdsa(jwks: text)
            }
        return TokenSettings(keys: keys, issuer: configured.issuer, audience: configured.audience)
    }
}
