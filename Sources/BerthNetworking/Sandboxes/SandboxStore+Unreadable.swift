internal import BerthNetlink
internal import Synchronization

/// What is known of a sandbox beside its record.
public struct SandboxDescription: Sendable {
    /// What the container that made it asks for when it starts; `nil` if that is gone.
    public var request: SandboxRequest?
    /// The containers that may be in it, beside that one, by id and name.
    public var members: [(id: String, name: String)]

    /// These.
    public init(request: SandboxRequest? = nil, members: [(id: String, name: String)] = []) {
        (self.request, self.members) = (request, members)
    }
}

// Sandboxes whose records cannot be read. They go on with what the kernel says that they have: nothing of it is given to others, or taken away, until their
// containers have ended.
extension SandboxStore {
    /// Records that could not be read, and why, by sandbox. They stay where they are until somebody removes them, or the machine is started again.
    public var unreadable: [String: String] { setAside.withLock { $0 } }

    /// - Throws: `conflict` for a sandbox of which not all is known.
    func requireReadable(_ id: String) throws(NetworkError) {
        guard sandboxes.withLock({ $0[id]?.isRebuilt }) == true else { return }
        throw NetworkError(
            .conflict,
            "the networks of container \(id) cannot be changed: the record of what it has was set aside (\(unreadable[id] ?? "unreadable")): stop the container, and start it again"
        )
    }

    /// Writes down what a sandbox has; not of one that is found again by what the kernel says.
    func write(_ record: SandboxRecord, id: String) throws(NetworkError) {
        guard sandboxes.withLock({ $0[id]?.isRebuilt }) != true else { return }
        try records.write(record, id: id)
    }

    /// Takes up sandboxes by what the kernel says. One that has nothing in any network is as if it had never been.
    func rebuild(_ ids: Set<String>, _ describe: (String) -> SandboxDescription) throws(NetworkError) {
        let places = try places(of: ids)
        let ports = try networks.bridges.firewall.leftPorts()
        for id in ids.sorted() {
            let description = describe(id)
            let request = description.request ?? SandboxRequest(id: id, name: "", .endpoints([]))
            var record = SandboxRecord(request)
            for place in places where place.sandboxID == id {
                for object in networks.objects() {
                    guard let endpoint = object.endpoint(at: place, of: request, ports), object.adopt(endpoint) else { continue }
                    record.endpoints.append(endpoint)
                    break
                }
            }
            if record.endpoints.isEmpty { continue }
            for member in description.members { record.admit(member.id, named: member.name, to: id) }
            record.hasNameServer = record.endpoints.contains { hasNames($0.networkID) }
            take(Sandbox(record: record, isRebuilt: true), id)
        }
    }

    /// The interfaces of sandboxes, in their order: by what is written to those of a parent's themselves, and by the other ends of bridges' pairs.
    private func places(of ids: Set<String>) throws(NetworkError) -> [KernelPlace] {
        let engineID = networks.engineID
        do throws(NetlinkError) {
            return try networks.host.ask { (socket) throws(NetlinkError) in
                let links = try socket.links()
                let bridges = links.reduce(into: [Int32: String]()) { bridges, link in
                    if case .network(let id) = InterfaceAlias(link.alias, engineID: engineID) { bridges[link.index] = id }
                }
                var found: [KernelPlace] = []
                for space in try socket.numberedNamespaces() {
                    var addresses: [InterfaceAddress]?
                    for link in try socket.links(in: space).sorted(by: { $0.index < $1.index }) where !link.isLoopback {
                        let pair = links.first { $0.peerNamespaceID == space.number && $0.peer == link.index && $0.kind == "veth" }
                        guard case .sandbox(let id, let endpoint) = InterfaceAlias((pair ?? link).alias, engineID: engineID),
                            ids.contains(id)
                        else { continue }
                        let all = if let addresses { addresses } else { try socket.addresses(in: space) }
                        addresses = all
                        found.append(
                            KernelPlace(
                                sandboxID: id, endpointID: endpoint, networkID: pair?.master.flatMap { bridges[$0] }, link: link,
                                hostInterface: pair?.name ?? "", prefixes: all.filter { $0.interface == link.index }.map(\.prefix)))
                    }
                }
                return found
            }
        } catch { throw NetworkError(error) }
    }
}

/// An interface of a sandbox's, as the kernel tells of it.
struct KernelPlace {
    var sandboxID: String
    var endpointID: String
    /// The network by whose bridge it is reached; `nil` of one of a parent's.
    var networkID: String?
    var link: Link
    /// The other end; empty where there is none.
    var hostInterface: String
    /// Its addresses: what a container gives itself is among them.
    var prefixes: [IPPrefix]
}
