internal import BerthLinux
internal import BerthOCI

extension RuntimeSpec.BlockIO {
    /// The files of a group's `blkio` hierarchy, and what is written into them.
    func version1Limits(_ abilities: CgroupAbilities) -> [(file: String, value: String)] {
        var limits: [(String, String)] = []
        if let weight, let file = abilities.blockWeightFile { limits.append((file, String(weight))) }
        if let file = abilities.blockWeightDeviceFile {
            for device in weightDevice ?? [] {
                if let weight = device.weight { limits.append((file, "\(device.major):\(device.minor) \(weight)")) }
            }
        }
        for (name, devices) in [
            ("read_bps", throttleReadBpsDevice), ("write_bps", throttleWriteBpsDevice), ("read_iops", throttleReadIOPSDevice),
            ("write_iops", throttleWriteIOPSDevice),
        ] {
            for device in devices ?? [] {
                limits.append(("blkio.throttle.\(name)_device", "\(device.major):\(device.minor) \(device.rate)"))
            }
        }
        return limits
    }

    /// The files of a group of v2, likewise.
    func version2Limits(_ abilities: CgroupAbilities) -> [(file: String, value: String)] {
        var limits: [(String, String)] = []
        if let file = abilities.blockWeightFile {
            if let weight { limits.append((file, "default \(Self.version2Weight(weight, file))")) }
            for device in weightDevice ?? [] {
                if let weight = device.weight {
                    limits.append((file, "\(device.major):\(device.minor) \(Self.version2Weight(weight, file))"))
                }
            }
        }
        for (key, devices) in [
            ("rbps", throttleReadBpsDevice), ("wbps", throttleWriteBpsDevice), ("riops", throttleReadIOPSDevice),
            ("wiops", throttleWriteIOPSDevice),
        ] {
            for device in devices ?? [] { limits.append(("io.max", "\(device.major):\(device.minor) \(key)=\(device.rate)")) }
        }
        return limits
    }

    /// Of 10 ... 1000, where 500 is usual, the same place among 1 ... 10,000. BFQ's weights are as v1's.
    private static func version2Weight(_ weight: UInt16, _ file: String) -> Int {
        file == "io.bfq.weight" ? Int(weight) : 1 + (max(10, Int(weight)) - 10) * 9999 / 990
    }
}
