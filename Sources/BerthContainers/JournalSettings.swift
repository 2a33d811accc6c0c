internal import BerthLaunch
internal import BerthLinux

/// Where the driver `journald` sends entries, and what each has with it.
enum JournalSettings {
    private static let path = "/run/systemd/journal/socket"

    /// - Throws: where the host has no journal.
    static func receiver(tag: String, _ facts: LogAttributes.Facts, _ attributes: [String: String]) throws(ContainerError) -> LogReceiver {
        guard HostFile.exists(path) else {
            throw ContainerError(.invalid, "failed to initialize logging driver: journald is not enabled on this host")
        }
        var fields = [
            "CONTAINER_ID": facts.names[.shortID], "CONTAINER_ID_FULL": facts.names[.id], "CONTAINER_NAME": facts.names[.name],
            "CONTAINER_TAG": tag, "IMAGE_NAME": facts.names[.image], "SYSLOG_IDENTIFIER": tag,
        ].compactMapValues { $0 }
        for (name, value) in attributes { fields[Self.name(name)] = value }
        fields[""] = nil
        let ordered = fields.sorted { $0.key < $1.key }.map { LogReceiver.Field($0.key, $0.value) }
        return LogReceiver(.datagrams(path: path), name: "unixgram \(path)", .journal(ordered))
    }

    /// A field's name out of any text: capitals, digits and `_`, which it may not begin with.
    static func name(_ text: String) -> String {
        let allowed = text.unicodeScalars.map { scalar -> Character in
            switch scalar {
            case "a"..."z": Character(Unicode.Scalar(UInt8(scalar.value) - 32))
            case "A"..."Z", "0"..."9": Character(scalar)
            default: "_"
            }
        }
        return String(allowed.drop { $0 == "_" })
    }
}
