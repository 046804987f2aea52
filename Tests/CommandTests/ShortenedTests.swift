import Testing

@testable import statex

@Suite struct ShortenedTests {
    @Test func `a long list of numbers is its first ones and their count`() {
        let numbers = (0..<384).map { "\(Double($0) / 8 - 1)" }.joined(separator: ", ")
        #expect(
            shortened(json: #"{"embedding": [\#(numbers)], "words": 3}"#)
                == #"{"embedding": [-1.0, -0.875, … 384 numbers], "words": 3}"#)
    }

    @Test(arguments: [
        "", "[]", "[1,2,3]", "[1,2,3,4,5,6,7,8]", #"["1",2,3,4,5,6,7,8,9]"#, "[[1],[2]]", "[1,2", "[",
        #"{"text": "[1,2,3,4,5,6,7,8,9,10]"}"#, #"{"text": "a \" [1,2,3,4,5,6,7,8,9] \\"}"#, #""\"#,
    ])
    func `everything else stays as it is`(json: String) { #expect(shortened(json: json) == json) }

    @Test func `lists in lists are shortened each`() {
        #expect(shortened(json: "[[1,2,3,4,5,6,7,8,9],[0]]") == "[[1, 2, … 9 numbers],[0]]")
    }
}
