/// Every way into every container from outside the host (`GET /berth/v1/exposure`).
public struct ExposureList: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The ways, those by ports of the host's first.
    public var ways: [ExposureItem]

    /// These.
    public init(_ ways: [ExposureItem]) { self.ways = ways }
}

/// A way into a container from outside.
public struct ExposureItem: Codable, Hashable, Sendable {
    /// Where packets are sent to: an address of the host's, `0.0.0.0` or `::` for all of a version, a container's own address, or a block of them.
    public var address: String
    /// The port that they are sent to; `nil` of every one.
    public var port: UInt16?
    /// `tcp`, `udp` or `sctp`; `nil` of every one.
    public var transport: String?
    /// The container's id; `nil` where no container is there yet.
    public var containerID: String?
    /// Its name.
    public var containerName: String?
    /// The container's address that they reach, where it is another.
    public var containerAddress: String?
    /// The container's port that they reach.
    public var containerPort: UInt16?
    /// The network's id.
    public var networkID: String
    /// Its name.
    public var networkName: String
    /// What lets them in, in words.
    public var rule: String
    /// Who asked for it: `-p 8080:80/tcp`, `-P`, `--network host`, or the network's option.
    public var askedBy: String

    /// A way of which nothing else is known.
    public init(address: String, networkID: String, networkName: String, rule: String, askedBy: String) {
        (self.address, self.networkID, self.networkName, self.rule, self.askedBy) = (address, networkID, networkName, rule, askedBy)
    }
}
