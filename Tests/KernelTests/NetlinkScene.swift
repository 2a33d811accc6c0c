import BerthLinux
import BerthNetlink
import Foundation
import Testing

/// Network namespaces of a test's own, and what `ip`, `nft` and `conntrack` say of them.
struct NetlinkScene {
    let host: NamespaceHandle
    let inside: NamespaceHandle

    init() throws { (host, inside) = (try NamespaceHandle.make(), try NamespaceHandle.make()) }

    /// Runs a program in a namespace; a failure is the test's.
    @discardableResult
    static func run(in namespace: NamespaceHandle, _ command: String, input: String = "") throws -> String {
        let (output, code) = try tryRun(in: namespace, command, input: input)
        try #require(code == 0, "\(command): \(output)")
        return output
    }

    static func tryRun(in namespace: NamespaceHandle, _ command: String, input: String = "") throws -> (String, Int32) {
        let path = namespace.descriptor.withRawDescriptor { "/proc/\(getpid())/fd/\($0)" }
        return try Scratch.run(
            "/usr/bin/nsenter", ["--net=\(path)", "/bin/bash", "-euo", "pipefail", "-c", "\(command) <<'BERTH_END'\n\(input)\nBERTH_END"])
    }

    /// What a program that speaks JSON says, in a namespace.
    static func json(in namespace: NamespaceHandle, _ command: String) throws -> [[String: Any]] {
        var text = try run(in: namespace, command)
        // Where something has changed meanwhile, ip says so, and is asked again.
        for _ in 0..<100 where text.contains("Dump was interrupted") { text = try run(in: namespace, command) }
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]], "\(text)")
    }

    /// What `nft` says of the rule set: one text for each table, set, map and chain, the elements by their order.
    ///
    /// As text: in JSON, nft 1.0.6 writes a table's flag after it has freed it, and what comes then is chance.
    static func ruleSet(in namespace: NamespaceHandle) throws -> [String] {
        var entries: [String] = []
        var table = ""
        // What is open: 0 nothing, 1 a table, 2 what is in it.
        var depth = 0
        // The kernel's order of elements is that of a hash.
        for line in try run(in: namespace, "nft list ruleset").replacing(#/elements = \{([^}]*)\}/#, with: { "elements \(sorted($0.1))" })
            .split(separator: "\n").map({ $0.trimmingCharacters(in: .whitespaces) })
        {
            if line == "}" {
                depth -= 1
            } else if let brace = line.firstRange(of: " {"), depth < 2 {
                // A table's owner follows as a remark, with the name of its process.
                let header = String(line[..<brace.lowerBound])
                if depth == 0 { table = header }
                entries.append(depth == 0 ? table : "\(table) \(header)")
                depth += 1
            } else {
                try #require(depth > 0, "\(line)")
                entries[entries.count - 1] += "\n" + line
            }
        }
        try #require(depth == 0)
        return entries
    }

    private static func sorted(_ elements: Substring) -> String {
        elements.split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.sorted().joined(separator: ", ")
    }
}

extension InterfaceName {
    /// A name in a test, which is one.
    static func named(_ name: String) throws -> InterfaceName { try #require(InterfaceName(name)) }
}

extension IPPrefix {
    /// A prefix in a test, which is one.
    static func of(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
}

extension IPAddress {
    /// An address in a test, which is one.
    static func of(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
}
