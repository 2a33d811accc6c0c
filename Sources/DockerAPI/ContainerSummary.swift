/// A mount of a container, as lists and inspections show it (`MountPoint`).
public struct MountPoint: JSONWritable, Hashable {
    /// `bind`.
    public var type: String
    /// What of the host's.
    public var source: String
    /// Where in the container.
    public var destination: String
    /// Its options as text.
    public var mode: String
    /// Whether the container can write.
    public var isWritable: Bool
    /// How mounts below travel.
    public var propagation: String

    /// A mount of these.
    public init(type: String, source: String, destination: String, mode: String, isWritable: Bool, propagation: String) {
        (self.type, self.source, self.destination) = (type, source, destination)
        (self.mode, self.isWritable, self.propagation) = (mode, isWritable, propagation)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Type", type)
            writer.member("Source", source)
            writer.member("Destination", destination)
            writer.member("Mode", mode)
            writer.member("RW", isWritable)
            writer.member("Propagation", propagation)
        }
    }
}

/// A container's place in a network without addresses (`EndpointSettings`).
public struct EndpointSettings: JSONWritable, Hashable {
    /// The network's id.
    public var networkID: String
    /// The id of the place.
    public var endpointID: String

    /// A place of these.
    public init(networkID: String, endpointID: String) { (self.networkID, self.endpointID) = (networkID, endpointID) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.nullMember("IPAMConfig")
            writer.nullMember("Links")
            writer.nullMember("Aliases")
            writer.member("MacAddress", "")
            writer.nullMember("DriverOpts")
            writer.member("GwPriority", 0)
            writer.member("NetworkID", networkID)
            writer.member("EndpointID", endpointID)
            writer.member("Gateway", "")
            writer.member("IPAddress", "")
            writer.member("IPPrefixLen", 0)
            writer.member("IPv6Gateway", "")
            writer.member("GlobalIPv6Address", "")
            writer.member("GlobalIPv6PrefixLen", 0)
            writer.nullMember("DNSNames")
        }
    }
}

/// A container in a list (`GET /containers/json`).
public struct ContainerSummary: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id = ""
    /// Its name, without the slash that the answer has.
    public var name = ""
    /// The image, as its maker named it.
    public var image = ""
    /// The image's id.
    public var imageID = ""
    /// The command in one line.
    public var command = ""
    /// When it was made, in seconds since 1970.
    public var createdAt: Int64 = 0
    /// Names and values.
    public var labels: [String: String] = [:]
    /// In one word.
    public var state = ""
    /// In a few words.
    public var status = ""
    /// Its network.
    public var networkMode = ""
    /// Its places in networks.
    public var networks: [String: EndpointSettings] = [:]
    /// Its mounts.
    public var mounts: [MountPoint] = []
    /// How many bytes it has added or changed; `nil` is not counted.
    public var changedByteCount: UInt64?
    /// How many bytes its root's files have; `nil` is not counted.
    public var rootByteCount: UInt64?

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Id", id)
            writer.member("Names", ["/" + name])
            writer.member("Image", image)
            writer.member("ImageID", imageID)
            writer.member("Command", command)
            writer.member("Created", createdAt)
            writer.member("Ports", [String]())
            // As Docker does it: nothing is not said.
            if let changedByteCount, changedByteCount > 0 { writer.member("SizeRw", changedByteCount) }
            if let rootByteCount, rootByteCount > 0 { writer.member("SizeRootFs", rootByteCount) }
            writer.member("Labels", labels)
            writer.member("State", state)
            writer.member("Status", status)
            writer.member("HostConfig") { $0.member("NetworkMode", networkMode) }
            writer.member("NetworkSettings") { $0.member("Networks", map: networks) }
            writer.member("Mounts", list: mounts)
        }
    }
}

extension JSONWriter {
    /// A member with an object of such values, in the order of the names.
    public mutating func member(_ name: String, map values: [String: some JSONWritable]) {
        member(name) { writer in for (key, value) in values.sorted(by: { $0.key < $1.key }) { writer.member(key, value) } }
    }
}
