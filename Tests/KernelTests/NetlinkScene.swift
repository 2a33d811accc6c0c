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
        let text = try run(in: namespace, command)
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]], "\(text)")
    }

    /// What `nft` says of the rule set, without the numbers that differ from one making to the next.
    static func ruleSet(in namespace: NamespaceHandle) throws -> [String] {
        var listed: [String: Any]?
        for _ in 0..<20 where listed == nil {
            // Where rules change while they are listed, nft says that all is well, and half of it.
            let text = try run(in: namespace, "nft -j list ruleset")
            listed = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        }
        let object = try #require(listed)
        return try #require(object["nftables"] as? [[String: Any]]).filter { $0["metainfo"] == nil }.map { entry in
            let (kind, value) = try #require(entry.first)
            var fields = try #require(value as? [String: Any])
            fields["handle"] = nil
            // The kernel's order of elements is that of a hash.
            if let elements = fields["elem"] as? [Any] { fields["elem"] = try elements.map(text(of:)).sorted() }
            return "\(kind) \(try Self.text(of: fields))"
        }
    }

    private static func text(of value: Any) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed]), as: UTF8.self)
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
