extension JournalReader {
    /// How many commits the relay of webhooks has not looked at; nil: none has begun. It is for those who see everything.
    package borrowing func webhooksBehind() throws(ReadError) -> Int? {
        let row = try rows(
            """
            SELECT greatest(0, coalesce((SELECT max(batch) FROM statex.commits c WHERE c.shard = w.shard), 0) + 1 - batch)
            FROM statex.webhook_cursor w WHERE shard = 0
            """
        ).first
        return row?.first.flatMap { $0 }.flatMap { Int($0) }
    }
}
