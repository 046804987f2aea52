// The numbered SQL files beside this one, compiled in: the executable needs no files to migrate.

/// One numbered step of the schema.
package struct Migration: Sendable {
    package let number: Int
    package let name: String
    package let sql: String

    private init(_ number: Int, _ name: String, _ bytes: [UInt8]) {
        self.number = number
        self.name = name
        sql = String(decoding: bytes, as: UTF8.self)
    }

    /// All steps, in order. A step that was released never changes: a new one follows it.
    package static let all = [
        Migration(1, "journal", PackageResources._001_journal_sql),
        Migration(2, "views", PackageResources._002_views_sql),
        Migration(3, "retention", PackageResources._003_retention_sql),
        Migration(4, "webhooks", PackageResources._004_webhooks_sql),
    ]
}
