import StatexProtocol
import Testing

@testable import StatexReads

struct ListingTests {
    private let columns: [Column] = [.text("id"), .number("n"), .flag("f"), .list("tags"), .time("at")]
    private let rows: [JournalReader.Row] = [
        ["1", "2", "t", "[\"a\"]", "2026-11-26T01:00:00+00:00"], ["3", nil, "f", nil, nil],
    ]

    @Test func `what a row has not is left out for the command line`() {
        let text = String(decoding: Listing(columns, rows, next: "3").json("jobs"), as: UTF8.self)
        #expect(
            text == #"{"jobs":[{"id":"1","n":2,"f":true,"tags":["a"],"at":"2026-11-26T01:00:00+00:00"},"#
                + #"{"id":"3","f":false}],"next":"3"}"#)
    }

    @Test func `what a row has not is null for the gateway`() {
        let text = String(decoding: Listing(columns, [rows[1]]).json("jobs", nulls: true), as: UTF8.self)
        #expect(text == #"{"jobs":[{"id":"3","n":null,"f":false,"tags":null,"at":null}],"next":null}"#)
    }

    @Test func `a column may be added that only some rows have`() {
        let list = Listing([.text("id")], [["1"], ["2"]], next: "2").adding("why") { $0[0] == "2" ? "busy" : nil }
        #expect(
            String(decoding: list.json("x"), as: UTF8.self)
                == #"{"x":[{"id":"1"},{"id":"2","why":"busy"}],"next":"2"}"#)
    }

    @Test(arguments: ["", "x", "-1", "1.", "1.-2", "1.2.3", "1.99999999999", ".5", "1,5"])
    func `a cursor of the audit trail that no list ended with is none`(text: String) {
        #expect(AuditCursor(text) == nil)
    }

    @Test func `what a text holds stays in its quotes`() {
        let list = Listing([.text("a")], [["\"}\u{1B}[2J\n"]])
        #expect(String(decoding: list.json("x"), as: UTF8.self) == #"{"x":[{"a":"\"}\u001b[2J\n"}]}"#)
    }
}

struct ViewerTests {
    @Test func `a tenant sees its own and nothing else`() {
        let viewer = Viewer.tenant("acme")
        #expect(viewer.sees(tenant: "acme") && !viewer.sees(tenant: "other") && !viewer.sees(tenant: ""))
        guard case .one("acme") = viewer.narrowed(to: nil), case .one("acme") = viewer.narrowed(to: "acme"),
            case .nothing = viewer.narrowed(to: "other")
        else {
            Issue.record("a list of a tenant is its own")
            return
        }
    }

    @Test func `who sees everything may look at one tenant`() {
        guard case .all = Viewer.everything.narrowed(to: nil),
            case .one("acme") = Viewer.everything.narrowed(to: "acme")
        else {
            Issue.record("an operator's list is what was asked for")
            return
        }
    }
}
