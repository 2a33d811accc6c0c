public import BerthClient
internal import DockerAPI

/// A daemon's progress stream as text: on a terminal a line for each of the things that come or go, which is written anew as it goes on, and elsewhere plain
/// lines, a line for each thing that becomes of them. The words are those of Docker's own client.
public struct TransferDisplay: Sendable {
    /// Where the text is shown.
    public enum Place: Sendable, Hashable {
        /// A terminal of so many columns.
        case terminal(columns: Int)
        /// A file, a pipe.
        case plain
    }

    /// When a part was first seen to have bytes, and how many.
    private struct Beginning {
        var milliseconds: Int64
        var count: Int64
    }
    private let place: Place
    /// Of each part the line that it has, from the first one on.
    private var lines: [String: Int] = [:]
    private var beginnings: [String: Beginning] = [:]

    /// Nothing shown yet.
    public init(_ place: Place) { self.place = place }

    /// What is to be written for a line of the stream.
    ///
    /// - Parameter milliseconds: the time, of any clock that only goes on.
    /// - Returns: the text, as it goes to the terminal or file; empty for nothing.
    public mutating func text(for line: JSONTree, at milliseconds: Int64) -> String {
        if let text = line["stream"]?.text { return text }
        guard let status = line["status"]?.text.map(Self.visible) else { return "" }
        let id = line["id"]?.text.map(Self.visible) ?? ""
        let words = id.isEmpty ? status : "\(id): \(status)"
        guard let detail = line["progressDetail"], !id.isEmpty else {
            // Those above stay as they are from now on.
            lines = [:]
            return words + "\n"
        }
        let (current, total) = (detail["current"]?.integer ?? 0, detail["total"]?.integer ?? 0)
        switch place {
        case .plain: return current > 0 || total > 0 ? "" : words + "\n"
        case .terminal(let columns):
            let shown = HumanText.ellipsis(words + bar(id, status, current, total, columns - words.count - 1, milliseconds), columns)
            let (line, isNew) = lines[id].map { ($0, false) } ?? (lines.count, true)
            lines[id] = line
            let up = lines.count - line
            return (isNew ? "\n" : "") + "\u{1b}[\(up)A\u{1b}[2K\r\(shown)\u{1b}[\(up)B\r"
        }
    }

    /// A bar, how much of how much, and how fast; what of it there is room for.
    private mutating func bar(
        _ id: String, _ status: String, _ current: Int64, _ total: Int64, _ width: Int, _ milliseconds: Int64
    ) -> String {
        guard current > 0 else { return "" }
        let key = "\(id) \(status)"
        let beginning = beginnings[key] ?? Beginning(milliseconds: milliseconds, count: current)
        beginnings[key] = beginning
        var numbers = HumanText.size(UInt64(current), digits: 4)
        if total >= current { numbers += "/" + HumanText.size(UInt64(total), digits: 4) }
        let elapsed = milliseconds - beginning.milliseconds
        // Of the first moment nothing can be said yet.
        if elapsed >= 500, current > beginning.count {
            numbers += "  " + HumanText.size(UInt64((current - beginning.count) * 1000 / elapsed), digits: 3) + "/s"
        }
        let barWidth = min(50, width - numbers.count - 4)
        guard total >= current, barWidth >= 10 else { return " \(numbers)" }
        let done = min(barWidth, Int(Double(current) / Double(total) * Double(barWidth)))
        return " [" + String(repeating: "=", count: done) + ">" + String(repeating: " ", count: barWidth - done) + "] \(numbers)"
    }

    /// Registries write some of these words: nothing of them moves the cursor.
    private static func visible(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
