/// A mount of a container, as lists and inspections show it (`MountPoint`).
public struct MountPoint: JSONWritable, Hashable {
    /// `bind`, `volume`, `tmpfs`, `image`.
    public var type: String
    /// The volume's name; empty for others.
    public var name = ""
    /// The volume's driver; empty for others.
    public var driver = ""
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
            if !name.isEmpty { writer.member("Name", name) }
            writer.member("Source", source)
            writer.member("Destination", destination)
            if !driver.isEmpty { writer.member("Driver", driver) }
            writer.member("Mode", mode)
            writer.member("RW", isWritable)
            writer.member("Propagation", propagation)
        }
    }
}

/// A port of a container in a list (`Port`).
public struct PortSummary: JSONWritable, Hashable {
    /// The container's port.
    public var port: ContainerPort
    /// The host's address at which it is published; empty if it is only exposed.
    public var hostAddress: String
    /// The host's port; `nil` if it is only exposed.
    public var hostPort: UInt16?

    /// A port of these.
    public init(_ port: ContainerPort, hostAddress: String = "", hostPort: UInt16? = nil) {
        (self.port, self.hostAddress, self.hostPort) = (port, hostAddress, hostPort)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if !hostAddress.isEmpty { writer.member("IP", hostAddress) }
            writer.member("PrivatePort", port.number)
            if let hostPort { writer.member("PublicPort", hostPort) }
            writer.member("Type", port.transport.rawValue)
        }
    }
}

/// A container in a list (`GET /containers/json`).
public struct ContainerSummary: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id = ""
    /// Its name, without the slash that the answer has.
    public var name = ""
    /// Names that others have for it, by links: `OWNER/ALIAS`.
    public var linkNames: [String] = []
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
    /// Its ports.
    public var ports: [PortSummary] = []
    /// Its network.
    public var networkMode = ""
    /// Its annotations, which clients before 1.46 are not told.
    public var annotations: [String: String] = [:]
    /// Its places in networks, as ``EndpointSettings/summary`` has them.
    public var networks: [String: EndpointSettings] = [:]
    /// Its mounts.
    public var mounts: [MountPoint] = []
    /// How many bytes it has added or changed; `nil` is not counted.
    public var changedByteCount: UInt64?
    /// How many bytes its root's files have; `nil` is not counted.
    public var rootByteCount: UInt64?

    /// How many bytes most have as text, about.
    public static var usualByteCount: Int { 1024 }

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Id", id)
            writer.member("Names", ["/" + name] + linkNames.map { "/" + $0 })
            writer.member("Image", image)
            writer.member("ImageID", imageID)
            writer.member("Command", command)
            writer.member("Created", createdAt)
            writer.member("Ports", list: ports)
            // As Docker does it: nothing is not said.
            if let changedByteCount, changedByteCount > 0 { writer.member("SizeRw", changedByteCount) }
            if let rootByteCount, rootByteCount > 0 { writer.member("SizeRootFs", rootByteCount) }
            writer.member("Labels", labels)
            writer.member("State", state)
            writer.member("Status", status)
            writer.member("HostConfig") { writer in
                writer.member("NetworkMode", networkMode)
                if !annotations.isEmpty { writer.member("Annotations", annotations) }
            }
            writer.member("NetworkSettings") { $0.member("Networks", map: networks) }
            writer.member("Mounts", list: mounts)
        }
    }
}
