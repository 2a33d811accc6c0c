/// What somebody may have meant who typed a name that does not exist.
public enum Suggestion {
    /// The names that are at most two slips of the finger away (one where the word has up to four letters), the nearest first, at most three.
    public static func nearest(to word: String, among names: [String]) -> [String] {
        let limit = word.count <= 4 ? 1 : 2
        let near = names.compactMap { name -> (name: String, distance: Int)? in
            guard name != word, abs(name.count - word.count) <= limit else { return nil }
            let distance = distance(Array(word.utf8), Array(name.utf8))
            return distance <= limit ? (name, distance) : nil
        }
        var result: [String] = []
        for candidate in near.sorted(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) where !result.contains(candidate.name) {
            result.append(candidate.name)
        }
        return Array(result.prefix(3))
    }

    /// A line that asks; empty where nothing is near.
    public static func line(for word: String, among names: [String], prefix: String = "") -> String {
        let near = nearest(to: word, among: names).map { "'\(prefix)\($0)'" }
        guard let last = near.last else { return "" }
        return "\nDid you mean " + (near.count == 1 ? last : near.dropLast().joined(separator: ", ") + " or " + last) + "?"
    }

    /// Letters to add, drop, change or swap with their neighbour.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 1...max(1, a.count) where i <= a.count {
            var row = [i]
            for j in 1...max(1, b.count) where j <= b.count {
                var least = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { least = min(least, rows[i - 2][j - 2] + 1) }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
