// The configuration's object stores, for the rooms that know no configuration.

import StatexClient
import StatexConfiguration
import StatexObjects
import StatexS3

/// Opens what the key `objects` names; what is wrong there ends the command.
func openStores(_ configuration: Configuration) throws -> Stores? {
    do throws(ObjectError) {
        return try Stores.open(configuration.objectRoots, S3Settings(S3Access(configuration.s3)))
    } catch {
        throw ending(.failed, "objects: \(error)")
    }
}

extension S3Access {
    init(_ configuration: S3Configuration) {
        self.init()
        endpoint = configuration.endpoint
        region = configuration.region
        namesBucketInHost = configuration.addressing == .host
        credentialsFile = configuration.credentialsFile
        authoritiesFile = configuration.authorities
    }
}
