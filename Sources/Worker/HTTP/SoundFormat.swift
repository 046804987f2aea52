/// How a recording is packed, by its first bytes. Servers of the OpenAI API tell it by the file's name.
enum SoundFormat: CaseIterable {
    case wav, flac, ogg, mp3, m4a, webm, unknown

    init(_ bytes: [UInt8]) {
        func has(_ text: String, at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: text.utf8) }
        if has("RIFF"), has("WAVE", at: 8) {
            self = .wav
        } else if has("fLaC") {
            self = .flac
        } else if has("OggS") {
            self = .ogg
        } else if has("ftyp", at: 4) {
            self = .m4a
        } else if bytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
            self = .webm
        } else if has("ID3") || (bytes.count > 1 && bytes[0] == 0xFF && bytes[1] & 0xE0 == 0xE0) {
            self = .mp3
        } else {
            self = .unknown
        }
    }

    var fileName: String { self == .unknown ? "audio" : "audio.\(self)" }

    var type: String {
        switch self {
        case .wav: "audio/wav"
        case .flac: "audio/flac"
        case .ogg: "audio/ogg"
        case .mp3: "audio/mpeg"
        case .m4a: "audio/mp4"
        case .webm: "audio/webm"
        case .unknown: "application/octet-stream"
        }
    }
}
