/// What a kind may be called: one rule for those who submit and for those who configure a handler. (The wire itself
/// takes any name of `Limits.nameBytes`.)
package enum KindName {
    package static let rule = "1 to 64 letters, digits, dots, dashes or underscores"

    package static func isValid(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
