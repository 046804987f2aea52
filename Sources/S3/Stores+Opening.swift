import StatexObjects

extension Stores {
    /// Opens what the key `objects` names: the first takes new objects, all are read.
    /// - Returns: nil: it names nothing.
    package static func open(_ locations: [String], _ settings: S3Settings) throws(ObjectError) -> Stores? {
        var places: [any ObjectPlace] = []
        for text in locations {
            switch try ObjectLocation(text) {
            case .folder(let path): places.append(try ObjectFolder(root: path))
            case .bucket(let name, let prefix): places.append(try S3Bucket(name, prefix: prefix, settings))
            }
        }
        guard let first = places.first else { return nil }
        return Stores(first, Array(places.dropFirst()))
    }
}
