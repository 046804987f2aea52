/// First in, first out, with places that stay addressable: an array whose front moves.
struct Fifo<Element> {
    private var storage: [Element?] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count }

    /// Places count from the front.
    subscript(place: Int) -> Element {
        get {
            guard let element = storage[head + place] else { preconditionFailure("an empty place") }
            return element
        }
        _modify {
            guard var element = storage[head + place] else { preconditionFailure("an empty place") }
            // Taken out while it changes, so that an array inside it is not copied.
            storage[head + place] = nil
            defer { storage[head + place] = element }
            yield &element
        }
    }

    var first: Element? { isEmpty ? nil : storage[head] }

    mutating func append(_ element: Element) { storage.append(element) }

    @discardableResult
    mutating func removeFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = storage[head]
        storage[head] = nil
        head += 1
        // Moved up when half is air: each element is moved once on average.
        if head > 32 && head * 2 > storage.count {
            storage.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func removeAll() {
        storage.removeAll()
        head = 0
    }

    mutating func removeAll(where isRemoved: (Element) -> Bool) {
        storage = storage[head...].filter { element in element.map { !isRemoved($0) } ?? false }
        head = 0
    }
}
