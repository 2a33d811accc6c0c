/// The drivers of an engine, by name.
public struct NetworkDrivers: Sendable {
    private let drivers: [String: any NetworkDriver]

    /// `none`, `host` and `container`.
    public static var standard: NetworkDrivers { NetworkDrivers([NoneDriver(), HostDriver(), ContainerDriver()]) }

    /// These. Of two with one name the later one counts.
    public init(_ drivers: [any NetworkDriver]) {
        self.drivers = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// The names, in order.
    public var names: [String] { drivers.keys.sorted() }

    /// The driver that a container chose.
    ///
    /// - Throws: `unsupported` for `default` and `bridge` where there is no such driver: nothing is mapped to another silently; `notFound` for names of
    ///   networks that do not exist.
    public func driver(named name: String) throws(NetworkError) -> any NetworkDriver {
        if let driver = drivers[name] { return driver }
        if name == "default" || name == "bridge" {
            throw NetworkError(
                .unsupported,
                "bridge networks do not exist here yet: say --network none for a container without a network, or --network host for the host's"
            )
        }
        throw NetworkError(.notFound, "network \(name) not found: --network none and --network host are there")
    }
}
