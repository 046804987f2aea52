/// The known name that `name` was most likely meant to be, or nil when none is near.
func nearMiss(_ name: String, among known: some Sequence<String>) -> String? {
    // A name of three letters is near to everything at distance two.
    let limit = min(3, name.count / 3)
    return known.map { (name: $0, distance: distance(name, $0)) }.filter { $0.distance <= limit }.min {
        $0.distance < $1.distance
    }?.name
}

/// How many characters must be added, removed, changed or swapped with their neighbour.
private func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var rows = [Array(0...right.count)]
    for i in 0..<left.count {
        var row = [i + 1]
        for j in 0..<right.count {
            var cost = min(rows[i][j] + (left[i] == right[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                cost = min(cost, rows[i - 1][j - 1] + 1)
            }
            row.append(cost)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
