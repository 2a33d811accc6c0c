public import DockerAPI

/// Columns of text, aligned as Docker's tables are.
public struct TextTable: Sendable {
    /// The narrowest a column gets, its gap included.
    private let narrowest: Int
    /// Spaces behind the widest cell of a column.
    private static let gap = 3

    private var rows: [[String]] = []

    /// No rows.
    ///
    /// - Parameter narrowest: the narrowest a column gets, its gap included.
    public init(narrowest: Int = 10) { self.narrowest = narrowest }

    /// Adds a line whose cells are parted by tabs.
    public mutating func add(line: String) {
        rows.append(line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
    }

    /// The lines, each ended. The last cell of a line is not filled up.
    public var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.dropLast().enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.unicodeScalars.count)
            }
        }
        var result = ""
        for row in rows {
            for (column, cell) in row.dropLast().enumerated() {
                let width = max(narrowest, widths[column] + Self.gap)
                result += cell + String(repeating: " ", count: width - cell.unicodeScalars.count)
            }
            result += (row.last ?? "") + "\n"
        }
        return result
    }
}

extension HumanText {
    /// A text in double quotes, with what would break a line escaped.
    public static func quoted(_ text: String) -> String { ValueKind.quoted(text) }
}
