import Foundation
import Testing

/// What `Tests/Confinement/report.sh` says as process 1 of a container: its sections, by name.
struct ConfinementReport: Equatable {
    var sections: [String: [String]] = [:]

    /// The folder of what runs inside containers.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Confinement"

    static func script() throws -> String { try String(contentsOfFile: folder + "/report.sh", encoding: .utf8) }

    init(_ text: String) {
        var name = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("== ") {
                name = String(line.dropFirst(3))
            } else if !line.isEmpty {
                sections[name, default: []].append(name == "namespaces" ? Self.owner(of: line) : line)
            }
        }
    }

    subscript(_ section: String) -> [String] { sections[section] ?? [] }

    /// Whose a namespace is, for its number differs from one container to the next: `mnt:[4026532177]`.
    private static func owner(of namespace: String) -> String {
        let kind = String(namespace.prefix { $0 != ":" })
        let ours = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(kind)")  // none: not ours
        return "\(kind): \(namespace == ours ? "the host's" : "its own")"
    }

    /// Lines that only one of the two has, with a sign in front.
    func differences(from other: ConfinementReport) -> [String] {
        var found: [String] = []
        for name in Set(sections.keys).union(other.sections.keys).sorted() {
            for change in self[name].difference(from: other[name]) {
                switch change {
                case .insert(_, let line, _): found.append("\(name) + \(line)")
                case .remove(_, let line, _): found.append("\(name) - \(line)")
                }
            }
        }
        return found
    }
}
