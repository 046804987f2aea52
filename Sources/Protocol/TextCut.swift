extension String {
    /// As much of its beginning as fits into so many bytes of UTF-8; what was cut shows as `…`.
    ///
    /// For texts for people that quote what may come from anywhere: no length of a name may make a message that
    /// cannot be written.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let mark = "…"
        var left = limit - mark.utf8.count
        var end = unicodeScalars.startIndex
        while end < unicodeScalars.endIndex {
            left -= UTF8.width(unicodeScalars[end])
            guard left >= 0 else { break }
            end = unicodeScalars.index(after: end)
        }
        return String(unicodeScalars[..<end]) + mark
    }
}
