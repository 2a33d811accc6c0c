extension RuntimeSpec {
    /// Weights and limits of block devices.
    public struct BlockIO: Hashable, Sendable {
        /// The weight among those who compete for devices: 10 ... 1000.
        public var weight: UInt16?
        /// Weights for single devices.
        public var weightDevice: [WeightDevice]?
        /// Bytes that may be read a second.
        public var throttleReadBpsDevice: [ThrottleDevice]?
        /// Bytes that may be written a second.
        public var throttleWriteBpsDevice: [ThrottleDevice]?
        /// Reads a second.
        public var throttleReadIOPSDevice: [ThrottleDevice]?
        /// Writes a second.
        public var throttleWriteIOPSDevice: [ThrottleDevice]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// None.
        public init() {}
    }

    /// A device's weight.
    public struct WeightDevice: Hashable, Sendable {
        /// The major number.
        public var major: Int64
        /// The minor number.
        public var minor: Int64
        /// 10 ... 1000.
        public var weight: UInt16?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A weight of these.
        public init(major: Int64, minor: Int64, weight: UInt16?) { (self.major, self.minor, self.weight) = (major, minor, weight) }
    }

    /// A device's limit.
    public struct ThrottleDevice: Hashable, Sendable {
        /// The major number.
        public var major: Int64
        /// The minor number.
        public var minor: Int64
        /// Bytes, or operations, a second.
        public var rate: UInt64
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A limit of these.
        public init(major: Int64, minor: Int64, rate: UInt64) { (self.major, self.minor, self.rate) = (major, minor, rate) }
    }
}

extension RuntimeSpec.BlockIO: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("weight", \.weight), .optional("weightDevice", \.weightDevice),
            .optional("throttleReadBpsDevice", \.throttleReadBpsDevice), .optional("throttleWriteBpsDevice", \.throttleWriteBpsDevice),
            .optional("throttleReadIOPSDevice", \.throttleReadIOPSDevice),
            .optional("throttleWriteIOPSDevice", \.throttleWriteIOPSDevice),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.WeightDevice: Codable, OpenObject {
    static var blank: Self { Self(major: 0, minor: 0, weight: nil) }
    static var members: [Member<Self>] {
        [.required("major", \.major), .required("minor", \.minor), .optional("weight", \.weight)]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.ThrottleDevice: Codable, OpenObject {
    static var blank: Self { Self(major: 0, minor: 0, rate: 0) }
    static var members: [Member<Self>] {
        [.required("major", \.major), .required("minor", \.minor), .required("rate", \.rate)]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}
