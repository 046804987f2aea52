import StatexProtocol

/// The keys of one request of a submit: they are looked up in the journal before the core sees it.
package struct RequestKeys: Sendable {
    /// The request's first job in the message.
    package var job: Int
    package var user: UserKeys.Key?
    package var unique: UniqueKeys.Key?
}

extension SubmitBatch {
    /// The requests that have a key. Options that cannot be read are the core's to refuse.
    ///
    /// - Parameter bytes: the message that the batch was read from.
    package func keys(in bytes: borrowing RawSpan) -> [RequestKeys] {
        var keys: [RequestKeys] = []
        for (place, job) in jobs.enumerated() where job.index == 0 && job.optionsLength > 0 {
            let read = try? JobOptions(
                reading: bytes, from: Int(job.optionsStart), length: Int(job.optionsLength), index: 0)
            guard let options = read, options.userKey != nil || options.unique != nil else { continue }
            let (tenant, kind) = (names[Int(job.tenant)], names[Int(job.kind)])
            keys.append(
                RequestKeys(
                    job: place, user: options.userKey.map { UserKeys.Key(tenant: tenant, key: $0) },
                    unique: options.unique.map { UniqueKeys.Key(tenant: tenant, kind: kind, rule: $0) }))
        }
        return keys
    }
}
