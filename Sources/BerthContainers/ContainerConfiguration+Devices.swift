/// A device of the host's that appears in a container.
public struct DeviceMapping: Sendable, Hashable, Codable {
    /// A device file of the host's, or a directory of such: all that are in it appear.
    public var source: String
    /// Where in the container.
    public var target: String
    /// What may be done with it: of `r`, `w`, `m`. Default `rwm`.
    public var permissions: String

    /// A device of these; the same path in the container unless said otherwise.
    public init(source: String, target: String? = nil, permissions: String = "rwm") {
        (self.source, self.target, self.permissions) = (source, target ?? source, permissions)
    }
}

/// A wish for devices that somebody else than the container's maker describes.
public struct DeviceRequest: Sendable, Hashable, Codable {
    /// Who: `cdi` for the descriptions of the Container Device Interface. Empty: whoever has the capabilities.
    public var driver: String
    /// How many; -1 is all.
    public var count: Int
    /// Which: of `cdi`, as `vendor.com/class=name`.
    public var deviceIDs: [String]
    /// What they must be able to do: one of these lists.
    public var capabilities: [[String]]
    /// More that the driver is told.
    public var options: [String: String]

    /// A request of these.
    public init(driver: String, count: Int = 0, deviceIDs: [String] = [], capabilities: [[String]] = [], options: [String: String] = [:]) {
        (self.driver, self.count, self.deviceIDs, self.capabilities, self.options) = (driver, count, deviceIDs, capabilities, options)
    }
}

/// Weights and limits of block devices, by paths of the host's device files.
public struct BlockLimits: Sendable, Hashable, Codable {
    /// One device's weight or rate.
    public struct Device: Sendable, Hashable, Codable {
        /// A device file of the host's.
        public var path: String
        /// The weight (10 ... 1000), or bytes or operations a second.
        public var value: UInt64

        /// A device of these.
        public init(path: String, value: UInt64) { (self.path, self.value) = (path, value) }
    }
    /// The weight among those who compete for devices: 10 ... 1000. Default `nil`: as everybody.
    public var weight: UInt16?
    /// Weights for single devices.
    public var weightDevices: [Device] = []
    /// Bytes read a second.
    public var readBytes: [Device] = []
    /// Bytes written a second.
    public var writeBytes: [Device] = []
    /// Reads a second.
    public var readOperations: [Device] = []
    /// Writes a second.
    public var writeOperations: [Device] = []

    /// No limits.
    public init() {}
}
