internal import BerthNetlink
internal import Synchronization

/// The network namespace that an engine lives in: where its bridges are, and one end of every pair of interfaces.
final class HostNetwork: Sendable {
    private let socket: Mutex<NetlinkSocket>

    /// That of the calling thread.
    init() throws(NetworkError) {
        do throws(NetlinkError) { socket = Mutex(try NetlinkSocket(.route)) } catch { throw NetworkError(error) }
    }

    /// Asks the kernel. One at a time: it does not work on two requests of this kind at once either. Blocks.
    func ask<Value: Sendable>(_ body: (inout NetlinkSocket) throws(NetlinkError) -> Value) throws(NetlinkError) -> Value {
        try socket.withLock { (socket) throws(NetlinkError) -> Value in try body(&socket) }
    }

    /// Where the host's routes lead to, without the default ones.
    func routes() throws(NetworkError) -> [Subnet] {
        do throws(NetlinkError) {
            return try ask { (socket) throws(NetlinkError) in
                var found: [Subnet] = []
                for version in IPAddress.Version.allCases {
                    for route in try socket.routes(version) where route.destination.length > 0 { found.append(Subnet(route.destination)) }
                }
                return found
            }
        } catch { throw NetworkError(error) }
    }
}

/// What is written to an interface of an engine's own, so that it is known again: `berth/<engine>/network/<id>`, `berth/<engine>/sandbox/<id>/<endpoint>`, and
/// for the parent of a network of another driver's than `bridge`, `berth/<engine>/<driver>/<id>`.
enum InterfaceAlias: Equatable {
    case network(String)
    case sandbox(String, endpoint: String)
    case parent(driver: String, network: String)

    func text(engineID: String) -> String {
        switch self {
        case .network(let id): "berth/\(engineID)/network/\(id)"
        case .sandbox(let id, let endpoint): "berth/\(engineID)/sandbox/\(id)/\(endpoint)"
        case .parent(let driver, let id): "berth/\(engineID)/\(driver)/\(id)"
        }
    }

    /// Reads one of this engine's; `nil` for everything else.
    init?(_ text: String, engineID: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, parts[0] == "berth", parts[1] == engineID else { return nil }
        switch (parts[2], parts.count) {
        case ("network", 4): self = .network(parts[3])
        case ("sandbox", 5): self = .sandbox(parts[3], endpoint: parts[4])
        case (let driver, 4) where LanKind(rawValue: driver) != nil: self = .parent(driver: driver, network: parts[3])
        default: return nil
        }
    }
}
