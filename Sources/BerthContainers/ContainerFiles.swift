internal import BerthNetworking

/// The three files that a container finds below `/etc` and that are the engine's: kept in the container's directory, where it may write them.
enum ContainerFiles {
    static let names = ["resolv.conf", "hostname", "hosts"]

    /// What `/etc/hosts` says: the names of the loopback addresses, and with the host's network, what the host's says.
    static func hosts(hostname: String, domainName: String?, hostFile: [UInt8]?) -> [UInt8] {
        if let hostFile { return hostFile }
        return Array(
            """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            ff00::0\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters

            """.utf8)
    }

    static func hostname(_ name: String) -> [UInt8] { Array((name + "\n").utf8) }

    /// Where names are asked for: as the host asks, without servers on its loopback, which a container with a network of its own cannot reach.
    static func resolverConfiguration(hostFile: [UInt8], sharesHostNetwork: Bool) -> [UInt8] {
        if sharesHostNetwork { return hostFile }
        let lines = hostFile.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).filter { line in
            let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
            return !(words.count > 1 && words[0] == "nameserver" && (words[1].hasPrefix("127.") || words[1] == "::1"))
        }
        return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }
}
