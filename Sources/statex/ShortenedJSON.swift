/// JSON for people: a list of many numbers (an embedding) is its first ones and their count. The rest stays as it is.
func shortened(json: String) -> String {
    var out: [UInt8] = []
    var rest = Array(json.utf8)[...]
    var isInString = false
    while let byte = rest.popFirst() {
        if isInString, byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
            out += [byte, escaped]
            continue
        }
        if byte == UInt8(ascii: "\"") { isInString.toggle() }
        if !isInString, byte == UInt8(ascii: "["), let end = rest.firstIndex(where: { !isInNumbers($0) }),
            rest[end] == UInt8(ascii: "]")
        {
            let numbers = rest[..<end].split(separator: UInt8(ascii: ","))
            if numbers.count > mostNumbers {
                let first = numbers.prefix(2).map { $0.filter { $0 > UInt8(ascii: " ") } }.joined(separator: ", ".utf8)
                out += Array("[".utf8) + first + Array(", … \(numbers.count) numbers]".utf8)
                rest = rest[rest.index(after: end)...]
                continue
            }
        }
        out.append(byte)
    }
    return String(decoding: out, as: UTF8.self)
}

/// Of a list that is shown whole.
private let mostNumbers = 8

private func isInNumbers(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eE, \t\r\n".utf8.contains(byte)
}
