import StatexProtocol

/// What the bytes of a content are, by these alone: only types that no browser runs.
enum ContentKind {
    static let json = "application/json"
    static let text = "text/plain; charset=utf-8"
    static let bytes = "application/octet-stream"
    static let all =
        [json, text, bytes] + ["wav", "flac", "ogg", "mp4", "webm", "mpeg"].map { "audio/\($0)" }

    /// - Parameter isWhole: whether `bytes` are all of them; else they are the first.
    static func of(_ bytes: ArraySlice<UInt8>, isWhole: Bool) -> String {
        if let sound = sound(bytes) { return sound }
        // A first piece may end inside a character, of which it has up to three bytes.
        let isText = (0...(isWhole ? 0 : 3)).contains { cut in
            bytes.count >= cut && String(validating: bytes.dropLast(cut), as: UTF8.self) != nil
        }
        guard isText, !bytes.contains(0) else { return self.bytes }
        guard let first = bytes.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return text }
        guard isWhole else { return json }
        return isJSON(Array(bytes)) ? json : text
    }

    /// So that it plays.
    private static func sound(_ bytes: ArraySlice<UInt8>) -> String? {
        func has(_ mark: String, at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: mark.utf8) }
        if has("RIFF"), has("WAVE", at: 8) { return "audio/wav" }
        // (A text may begin with the same letters, but not with what follows them.)
        if has("fLaC\0") { return "audio/flac" }
        if has("OggS\0") { return "audio/ogg" }
        if has("ftypM4A", at: 4) { return "audio/mp4" }
        // Of a WebM nothing near says whether it has pictures; a browser records sound alone into it too.
        if bytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]), bytes.prefix(64).contains(subsequence: "webm") {
            return "audio/webm"
        }
        // A tag, or a frame of layer III.
        let isFrame = bytes.count > 1 && bytes.first == 0xFF && bytes.dropFirst().first.map { $0 & 0xE6 } == 0xE2
        return has("ID3\u{3}") || has("ID3\u{4}") || isFrame ? "audio/mpeg" : nil
    }

    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        // The strict reader reads objects; a list stands in one.
        let whole = bytes.first == UInt8(ascii: "{") ? bytes : Array(#"{"a":"#.utf8) + bytes + Array("}".utf8)
        return (try? JSONObject(whole)) != nil
    }
}

extension Collection<UInt8> {
    fileprivate func contains(subsequence text: String) -> Bool {
        indices.contains { self[$0...].starts(with: text.utf8) }
    }
}
