import Foundation
import FoundationXML

/// An error, or a page of a list, as S3 writes it.
final class S3XML: NSObject, XMLParserDelegate {
    struct Entry {
        var key = ""
        var size = ""
        var modified = ""
    }

    /// A page of 1,000 objects has some 400 KiB.
    static let maximumLength = 4 << 20

    private(set) var root = ""
    /// Of the elements below the root, by name.
    private(set) var texts: [String: String] = [:]
    private(set) var entries: [Entry] = []
    private var path: [String] = []
    private var text = ""

    /// - Returns: nil if it is no XML.
    static func read(_ bytes: [UInt8]) -> S3XML? {
        let reader = S3XML()
        let parser = XMLParser(data: Data(bytes))
        parser.delegate = reader
        // On Linux the parser says yes to anything: what is whole has a root that ended.
        let isWhole = parser.parse() && parser.parserError == nil && !reader.root.isEmpty && reader.path.isEmpty
        return isWhole ? reader : nil
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        if path.isEmpty { root = name }
        path.append(name)
        text = ""
        if path.count == 2, name == "Contents" { entries.append(Entry()) }
    }

    func parser(_ parser: XMLParser, foundCharacters characters: String) {
        // The longest that means anything is a key of 1,024 bytes, each written as three.
        if text.utf8.count + characters.utf8.count <= 8 << 10 { text += characters }
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        if path.count == 2 { texts[name] = text }
        if path.count == 3, path[1] == "Contents", let last = entries.indices.last {
            switch name {
            case "Key": entries[last].key = text
            case "Size": entries[last].size = text
            case "LastModified": entries[last].modified = text
            default: break
            }
        }
        _ = path.popLast()
        text = ""
    }
}
