internal import BerthOCI

/// A container's processes (`ContainerTopResponse`).
public struct ContainerTop: Hashable, Sendable, JSONWritable {
    /// What the columns are called.
    public var titles: [String]
    /// A line a process.
    public var processes: [[String]]

    /// A table of these.
    public init(titles: [String], processes: [[String]]) { (self.titles, self.processes) = (titles, processes) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("Processes")
            writer.array { writer in
                for process in processes { writer.array { writer in for value in process { writer.value(value) } } }
            }
            writer.name("Titles")
            writer.array { writer in for title in titles { writer.value(title) } }
        }
    }
}
