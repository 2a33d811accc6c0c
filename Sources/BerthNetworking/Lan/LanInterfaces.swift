internal import BerthLinux
internal import BerthNetlink
internal import Synchronization

/// The interfaces that sandboxes have of a parent's. Nothing of them is on the host: they are found again by the numbers that the host's namespace has for
/// those that it knows, and by what is written to them.
final class LanInterfaces: Sendable {
    /// How long one that has ended may take to be gone, with its address.
    private static let patienceMilliseconds: Int32 = 1000
    private static let pauseMilliseconds: Int32 = 10

    private struct Place {
        let space: NumberedNamespace
        let index: Int32
        /// Held, so that nothing else gets its number; `nil` of one that an earlier engine made.
        let namespace: NamespaceHandle?
    }
    private struct State {
        var places: [String: [Place]] = [:]
        /// Whether all that an earlier engine made is in it.
        var isRecovered = false
    }
    private let state = Mutex(State())
    private let engineID: String
    private let host: HostNetwork
    private let kind: LanKind

    init(_ kind: LanKind, engineID: String, host: HostNetwork) { (self.kind, self.engineID, self.host) = (kind, engineID, host) }

    /// Makes a sandbox's interface, with its addresses, up. On failure nothing of it is left.
    func attach(_ endpoint: Endpoint, parent: Int32, _ options: LanOptions, to namespace: SandboxNamespace) throws(NetworkError) {
        guard let name = InterfaceName(endpoint.interface) else {
            throw NetworkError(.invalid, "'\(endpoint.interface)' is no interface's name")
        }
        var end = LinkEnd(name: name, mtu: options.mtu, namespace: namespace.handle)
        let made: NewLink.Kind
        switch options.mode {
        case .macvlan(let mode):
            // What hands its parent through has the parent's address.
            if mode != .passthru { end.hardwareAddress = endpoint.hardwareAddress }
            made = .macvlan(parent: parent, mode)
        case .ipvlan(let mode, let isolation): made = .ipvlan(parent: parent, mode, isolation)
        }
        let link = NewLink(end, made)
        let space: NumberedNamespace
        do throws(NetlinkError) {
            space = try host.ask { (socket) throws(NetlinkError) in
                try socket.perform(.makeLink(link))
                return try socket.number(of: namespace.handle)
            }
        } catch {
            // Of two steps the first may have been done.
            if error.code != .exists { try? namespace.remove(name) }  // what went wrong first is told
            if error.code == .busy {
                throw NetworkError(
                    .conflict,
                    "\(error): an interface cannot be the parent of macvlan and ipvlan interfaces, or of one in mode passthru and others, at one time"
                )
            }
            throw NetworkError(error)
        }
        do throws(NetworkError) {
            if endpoint.ipv6 != nil { try namespace.set([("ipv6/conf/\(name)/disable_ipv6", "0")]) }
            let index = try configure(endpoint, name, in: namespace)
            state.withLock { $0.places[endpoint.id] = [Place(space: space, index: index, namespace: namespace.handle)] }
        } catch {
            try? namespace.remove(name)  // what went wrong first is told; what stays ends with the sandbox
            throw error
        }
    }

    private func configure(_ endpoint: Endpoint, _ name: InterfaceName, in namespace: SandboxNamespace) throws(NetworkError) -> Int32 {
        let alias = InterfaceAlias.sandbox(endpoint.sandboxID, endpoint: endpoint.id).text(engineID: engineID)
        var leftMilliseconds = Self.patienceMilliseconds
        while true {
            do throws(NetlinkError) {
                return try namespace.ask { (socket) throws(NetlinkError) in
                    let index = try socket.index(of: endpoint.interface)
                    let present = Set(try socket.addresses(on: index).map(\.prefix))
                    var requests = [NetlinkRequest.changeLink(.index(index), LinkChange(isUp: true, alias: alias))]
                    for prefix in [endpoint.ipv4, endpoint.ipv6].compactMap(\.self) where !present.contains(prefix) {
                        let broadcast = prefix.address.version == .v4 ? prefix.last : nil
                        requests.append(
                            .addAddress(InterfaceAddress(prefix, on: index, broadcast: broadcast, flags: .withoutDuplicateDetection)))
                    }
                    try socket.perform(requests)
                    return index
                }
            } catch {
                // Whoever had the addresses before may be gone but for the kernel's tidying up.
                guard error.underlying == .EADDRINUSE else { throw NetworkError(error) }
                guard leftMilliseconds > 0 else {
                    throw NetworkError(
                        .conflict, "\(error): another interface of the same parent has the address of container \(endpoint.sandboxName)")
                }
                HostFile.pause(milliseconds: Self.pauseMilliseconds)
                leftMilliseconds -= Self.pauseMilliseconds
            }
        }
    }

    /// Takes a sandbox's interface away. Repeating is fine, and when the namespace has ended.
    func detach(_ endpoint: Endpoint) throws(NetworkError) {
        let (places, isRecovered) = state.withLock { ($0.places.removeValue(forKey: endpoint.id), $0.isRecovered) }
        if let places {
            for place in places { try remove(place, of: endpoint.id) }
        } else if !isRecovered {
            for (place, found) in try survey() where found == endpoint.id { try remove(place, of: endpoint.id) }
        }
    }

    private func remove(_ place: Place, of endpointID: String) throws(NetworkError) {
        do throws(NetlinkError) {
            try host.ask { (socket) throws(NetlinkError) in
                if place.namespace == nil {
                    // The number may be another's by now.
                    guard let link = try socket.links(in: place.space).first(where: { $0.index == place.index }),
                        endpoint(of: link) == endpointID
                    else { return }
                }
                try socket.perform(.removeLink(index: place.index, in: place.space))
            }
        } catch {
            // With its namespace it has gone as well.
            if error.code != .notFound && error.code != .invalid { throw NetworkError(error) }
        }
    }

    /// Takes up the interfaces of these endpoints, and removes all others of this engine's and kind.
    func recover(_ endpoints: [Endpoint]) throws(NetworkError) {
        let known = Set(endpoints.map(\.id))
        var places: [String: [Place]] = [:]
        for (place, id) in try survey() {
            if known.contains(id) { places[id, default: []].append(place) } else { try remove(place, of: id) }
        }
        let found = places
        state.withLock { state in
            // What this engine has made itself it knows better.
            state.places = found.merging(state.places.filter { known.contains($0.key) }) { $1 }
            state.isRecovered = true
        }
    }

    /// All interfaces of this engine's and kind in namespaces that the host's knows. What a sandbox writes to its own interfaces is its own loss.
    private func survey() throws(NetworkError) -> [(Place, endpointID: String)] {
        do throws(NetlinkError) {
            return try host.ask { (socket) throws(NetlinkError) in
                var found: [(Place, String)] = []
                for space in try socket.numberedNamespaces() {
                    for link in try socket.links(in: space) {
                        guard let id = endpoint(of: link) else { continue }
                        found.append((Place(space: space, index: link.index, namespace: nil), id))
                    }
                }
                return found
            }
        } catch { throw NetworkError(error) }
    }

    private func endpoint(of link: Link) -> String? {
        guard link.kind == kind.rawValue, case .sandbox(_, let id) = InterfaceAlias(link.alias, engineID: engineID) else { return nil }
        return id
    }
}

extension SandboxNamespace {
    /// Removes an interface. Repeating is fine.
    fileprivate func remove(_ name: InterfaceName) throws(NetworkError) {
        do throws(NetlinkError) { try ask { (socket) throws(NetlinkError) in try socket.perform(.removeLink(.name(name))) } } catch {
            if error.code != .notFound { throw NetworkError(error) }
        }
    }
}
