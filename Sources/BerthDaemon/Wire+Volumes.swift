internal import Berth
internal import DockerAPI

extension VolumeConfiguration {
    init(_ request: VolumeCreateRequest) {
        self.init(
            name: request.name.isEmpty ? nil : request.name, driver: request.driver.isEmpty ? Self.localDriver : request.driver,
            options: request.options, labels: request.labels)
    }
}

extension VolumeResource {
    init(_ volume: Volume, usage: Usage? = nil) {
        self.init()
        (name, driver, mountPoint) = (volume.name, volume.driver, volume.mountPoint)
        (created, labels, options, self.usage) = (volume.createdAt.rfc3339Seconds, volume.labels, volume.options, usage)
    }
}

extension Timestamp {
    /// Without a fraction, as volumes have it.
    fileprivate var rfc3339Seconds: String { Timestamp(nanoseconds: seconds * 1_000_000_000).rfc3339 }
}

/// Docker's filters of `volume ls`.
struct VolumeFilter: Sendable {
    private let filters: [String: [String]]

    init(_ filters: [String: [String]]) throws(APIFailure) {
        self.filters = filters
        for (key, values) in filters {
            switch key {
            case "name", "driver", "label": break
            case "dangling":
                guard values.count == 1, ["true", "1", "false", "0"].contains(values[0]) else {
                    throw .invalid("invalid filter 'dangling=[\(values.joined(separator: " "))]'")
                }
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }

    /// - Parameter isUsed: whether a container has the volume.
    func matches(_ volume: Volume, isUsed: () -> Bool) -> Bool {
        filters.allSatisfy { key, values in
            switch key {
            case "name": values.contains { volume.name.contains($0) }
            case "driver": values.contains(volume.driver)
            case "label": (volume.labels ?? [:]).match(values)
            case "dangling": ["true", "1"].contains(values[0]) != isUsed()
            default: false
            }
        }
    }
}

/// Which volumes a request to prune means.
struct VolumePruning: Sendable {
    private var (includesNamed, labels, excluded): (Bool, [String], [String]) = (false, [], [])

    /// - Parameter version: clients of versions before 1.42 mean all that nobody has.
    init(_ filters: [String: [String]], version: APIVersion) throws(APIFailure) {
        includesNamed = version < APIVersion(1, 42)
        for (key, values) in filters {
            switch key {
            case "label": labels = values
            case "label!": excluded = values
            case "all" where version >= APIVersion(1, 42):
                guard values.count == 1, ["true", "1", "false", "0"].contains(values[0]) else {
                    throw .invalid("invalid filter 'all=[\(values.joined(separator: " "))]'")
                }
                includesNamed = ["true", "1"].contains(values[0])
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }

    func matches(_ volume: Volume) -> Bool {
        let own = volume.labels ?? [:]
        return (includesNamed || volume.isAnonymous) && own.match(labels) && (excluded.isEmpty || !own.match(excluded))
    }
}
