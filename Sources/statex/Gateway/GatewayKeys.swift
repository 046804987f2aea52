import StatexConfiguration
import StatexGateway
import StatexStack

extension LoadedConfiguration {
    /// Whose tokens the gateway believes: the operator's, or those of a secret of its own in the data directory.
    /// - Parameter made: hears where that secret was made, if it was not there.
    func gatewayTokens(made: (String) -> Void = { _ in }) throws -> TokenSettings {
        guard let configured = configuration.gateway.tokens else {
            do throws(StackError) {
                let secret = try DevelopmentKey.secret(inDataDirectory: configuration.dataDirectory, made: made)
                return TokenSettings(keys: .secret(secret), audience: TokenConfiguration.standardAudience)
            } catch {
                throw ending(.failed, "the development secret: \(error)")
            }
        }
        do throws(ConfigurationError) { return try configured.settings() } catch {
            throw ending(.usage, error.description)
        }
    }

    /// Where the operator's keys are read again. The secret of its own stays as it is.
    /// nil: the operator has none.
    var gatewayTokenFile: TokenFile? {
        configuration.gateway.tokens.map { configured in
            TokenFile(configured.keyFile) { try configured.settings() }
        }
    }
}

extension TokenConfiguration {
    /// What tokens must be, by the key file as it is now.
    fileprivate func settings() throws(ConfigurationError) -> TokenSettings {
        let text = try readKeys()
        let keys: TokenSettings.Keys =
            switch algorithm {
            case .hs256: .secret(Array(text.utf8))
            case .rs256: .rsa(jwks: text)
            case .es256: .ecdsa(jwks: text)
            }
        return TokenSettings(keys: keys, issuer: issuer, audience: audience)
    }
}
