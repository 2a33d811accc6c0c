/// A container's ports in one line, as `ps` shows them: neighbours that are published at their own numbers as a range.
public enum PortListing {
    /// A port.
    public struct Entry: Sendable, Hashable {
        /// The host's address; empty if it is only exposed.
        public var address: String
        /// The container's port.
        public var inside: Int64
        /// The host's port; 0 if it is only exposed.
        public var outside: Int64
        /// What is spoken there.
        public var transport: String

        /// A port of these.
        public init(address: String = "", inside: Int64, outside: Int64 = 0, transport: String) {
            (self.address, self.inside, self.outside, self.transport) = (address, inside, outside, transport)
        }
    }

    /// The line: ranges, then what is published at other numbers.
    public static func text(_ ports: [Entry]) -> String {
        var (ranges, moved): ([String], [String]) = ([], [])
        /// The ranges that may still grow, in the order in which they began.
        var growing: [(address: String, transport: String, ports: ClosedRange<Int64>)] = []
        for port in ports.sorted(by: isBefore) {
            if !port.address.isEmpty, port.outside != port.inside {
                moved.append("\(IPText.withPort(port.address, String(port.outside)))->\(port.inside)/\(port.transport)")
                continue
            }
            guard let index = growing.firstIndex(where: { $0.address == port.address && $0.transport == port.transport }) else {
                growing.append((port.address, port.transport, port.inside...port.inside))
                continue
            }
            let ports = growing[index].ports
            if port.inside == ports.upperBound + 1 {
                growing[index].ports = ports.lowerBound...port.inside
            } else {
                ranges.append(text(growing[index]))
                growing[index].ports = port.inside...port.inside
            }
        }
        return (ranges + growing.map(text) + moved).joined(separator: ", ")
    }

    private static func text(_ range: (address: String, transport: String, ports: ClosedRange<Int64>)) -> String {
        let (first, last) = (range.ports.lowerBound, range.ports.upperBound)
        let ports = first == last ? String(first) : "\(first)-\(last)"
        return (range.address.isEmpty ? ports : "\(IPText.withPort(range.address, ports))->\(ports)") + "/\(range.transport)"
    }

    private static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        (a.inside, a.address, a.outside, a.transport) < (b.inside, b.address, b.outside, b.transport)
    }
}
