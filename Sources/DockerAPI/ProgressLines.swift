/// How far each of several things is, as lines of Docker's progress stream: made of one state after the other, a line for what is new in it.
public struct ProgressLines: Sendable {
    /// One of the things.
    public struct Part: Hashable, Sendable {
        /// What it is called.
        public var id: String
        /// What becomes of it.
        public var status: String
        /// How much is done.
        public var current: UInt64?
        /// Of how much.
        public var total: UInt64?

        /// These.
        public init(id: String, status: String, current: UInt64? = nil, total: UInt64? = nil) {
            (self.id, self.status, self.current, self.total) = (id, status, current, total)
        }
    }

    private var told: [String: Part] = [:]

    /// Nothing told yet.
    public init() {}

    /// What is to be told of a state.
    ///
    /// - Parameter withCounts: whether also of those things of which only more is done than before; what becomes of a thing is always told.
    public mutating func lines(for parts: [Part], withCounts: Bool) -> [ProgressMessage] {
        var lines: [ProgressMessage] = []
        for part in parts {
            let before = told[part.id]
            guard before != part, withCounts || before?.status != part.status else { continue }
            told[part.id] = part
            lines.append(.part(part.status, id: part.id, current: part.current, total: part.total))
        }
        return lines
    }

    /// The bar that older clients print as it is.
    static func bar(current: UInt64, total: UInt64?) -> String {
        let done = HumanText.size(current, digits: 4)
        func padded(_ text: String) -> String { String(repeating: " ", count: max(0, 8 - text.count)) + text }
        guard let total, total > 0, current <= total else { return padded(done) }
        let width = Int(Double(current) / Double(total) * 100) / 2
        return "[" + String(repeating: "=", count: width) + ">" + String(repeating: " ", count: 50 - width) + "] \(padded(done))/"
            + HumanText.size(total, digits: 4)
    }
}
