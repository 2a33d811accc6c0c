/// The drivers of an engine, by name.
public struct NetworkDrivers: Sendable {
    private let drivers: [String: any NetworkDriver]

    /// These. Of two with one name the later one counts.
    public init(_ drivers: [any NetworkDriver]) {
        self.drivers = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// The names, in order.
    public var names: [String] { drivers.keys.sorted() }

    /// All of them, by their names' order.
    public var all: [any NetworkDriver] { names.compactMap { drivers[$0] } }

    /// The driver that a network's creator chose.
    ///
    /// - Throws: `unsupported` for Docker's `overlay`, which is for several machines; `notFound` for names of none.
    public func driver(named name: String) throws(NetworkError) -> any NetworkDriver {
        if let driver = drivers[name] { return driver }
        if name == "overlay" {
            throw NetworkError(
                .unsupported,
                "the driver overlay makes networks of several machines, and this engine is for one: say --driver bridge, or macvlan to reach others on the host's own network"
            )
        }
        throw NetworkError(.notFound, "could not find plugin \(name): there are the drivers \(names.joined(separator: ", "))")
    }
}
