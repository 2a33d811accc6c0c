internal import BerthLinux
internal import BerthNetlink

/// Ports of the host's that were taken for a sandbox, each with a socket that has it.
struct PortReservation {
    /// What is published, for the firewall and for whoever asks.
    private(set) var ports: [PublishedPort] = []
    /// The sockets.
    private(set) var sockets: [SandboxSocket] = []
    private let endpoint: Endpoint
    private let holder: (PublishedPort.Transport, UInt16) -> String?
    private let publishDefault: PublishDefault
    private let routed: Set<IPAddress.Version>
    private let takesHostPorts: Bool
    private var nextKey: UInt64

    /// Takes ports.
    ///
    /// - Parameters:
    ///   - requests: what is to be published.
    ///   - endpoint: whose addresses they lead to.
    ///   - firstKey: the key of the first socket.
    ///   - standard: the host's address for requests that say none.
    ///   - default: those where there is no such address either.
    ///   - routed: the versions by which the endpoint is reached at its own address. Nothing is taken for those.
    ///   - takesHostPorts: whether anything is published by the others.
    ///   - holder: which sandbox of this engine has a port, in words.
    /// - Throws: `conflict` for a port that somebody has, who is named; `invalid` for an address that the host does not have; `system` without the right;
    ///   `unsupported` where the kernel lacks what is spoken. Nothing is taken then.
    init(
        _ requests: [PortRequest], for endpoint: Endpoint, firstKey: UInt64, standard: IPAddress?, default: PublishDefault = .everywhere,
        routed: Set<IPAddress.Version> = [], takesHostPorts: Bool = true,
        holder: @escaping (PublishedPort.Transport, UInt16) -> String?
    ) throws(NetworkError) {
        self.takesHostPorts = takesHostPorts
        (self.endpoint, self.holder, nextKey, publishDefault, self.routed) = (endpoint, holder, firstKey, `default`, routed)
        for var request in requests {
            if request.hostAddress == nil { request.hostAddress = standard }
            try reserve(request)
        }
    }

    /// How often a port that the kernel gives is tried anew, because another version's is taken.
    private static let attempts = 64

    private mutating func reserve(_ request: PortRequest) throws(NetworkError) {
        let wanted = try places(of: request)
        for (host, target) in wanted where routed.contains(host.version) && host.version == target.version {
            // As with Docker: neither the host's address nor its port means anything. Only what nobody but the host was to reach stays that.
            add(request.port, at: host.isLoopback ? host : IPAddress(host.version, 0), 0, to: target)
        }
        let places = wanted.filter { !routed.contains($0.host.version) }
        if places.isEmpty || !takesHostPorts { return }
        var failure: PlaceFailure?
        let candidates: [UInt16] = request.hostPorts.map { Array($0) } ?? Array(repeating: 0, count: Self.attempts)
        for candidate in candidates {
            do throws(PlaceFailure) { return try take(candidate, at: places, request.port) } catch {
                failure = error
                guard error.cause == .EADDRINUSE else { break }
            }
        }
        guard let failure else {
            throw NetworkError(.invalid, "no port of the host's is named for \(request.port)")
        }
        throw refusal(failure, request)
    }

    private struct PlaceFailure: Error {
        var cause: Errno
        var address: IPAddress
        var port: UInt16
        var target: IPAddress
    }

    /// The host's addresses at which a request is published, and where each leads to. What says no address is at all of both versions, or on the loopback of
    /// both, if the host has them.
    private func places(of request: PortRequest) throws(NetworkError) -> [(host: IPAddress, target: IPAddress)] {
        let (ipv4, ipv6) = (endpoint.ipv4?.address, endpoint.ipv6?.address)
        guard let any = ipv4 ?? ipv6 else { throw NetworkError(.invalid, "a sandbox without addresses has no ports to publish") }
        func place(_ host: IPAddress) -> (host: IPAddress, target: IPAddress) { (host, (host.version == .v4 ? ipv4 : ipv6) ?? any) }
        if let address = request.hostAddress { return [place(address)] }
        let versions: [IPAddress.Version] = HostFile.exists("/proc/net/if_inet6") ? [.v4, .v6] : [.v4]
        let hosts = versions.map { publishDefault == .loopback ? IPAddress.loopback($0) : IPAddress($0, 0) }
        return hosts.map(place)
    }

    private mutating func take(
        _ candidate: UInt16, at places: [(host: IPAddress, target: IPAddress)], _ port: Port
    ) throws(PlaceFailure) {
        var (number, taken): (UInt16, [SandboxSocket]) = (candidate, [])
        for (host, target) in places {
            let use = Self.use(of: port.transport, target, port.number)
            do throws(Errno) {
                guard let place = InternetEndpoint(address: host.bytes, port: number) else { throw .EINVAL }
                let socket = try InternetSocket.reserve(port.transport.reservation, place)
                number = try socket.endpoint().port
                taken.append(SandboxSocket(key: nextKey + UInt64(taken.count), use, socket))
            } catch {
                // Where the host has version 6 switched off, nothing of it can be published.
                if error == .EADDRNOTAVAIL || error == .EAFNOSUPPORT, host.version == .v6, !taken.isEmpty { continue }
                throw PlaceFailure(cause: error, address: host, port: number, target: target)
            }
        }
        nextKey += UInt64(taken.count)
        sockets += taken
        for (host, target) in places.prefix(taken.count) { add(port, at: host, number, to: target) }
    }

    private mutating func add(_ port: Port, at host: IPAddress, _ number: UInt16, to target: IPAddress) {
        ports.append(
            PublishedPort(
                networkID: endpoint.networkID, sandboxID: endpoint.sandboxID, transport: port.transport, hostAddress: host,
                hostPort: number, containerAddress: target, containerPort: port.number))
    }

    /// The socket of a port that was taken before, once more.
    ///
    /// - Throws: `EADDRINUSE` if somebody has it, and whatever else the kernel says.
    static func socket(of port: PublishedPort, key: UInt64) throws(Errno) -> SandboxSocket {
        let host = port.hostAddress ?? IPAddress(port.version, 0)
        guard let place = InternetEndpoint(address: host.bytes, port: port.hostPort) else { throw .EINVAL }
        let socket = try InternetSocket.reserve(port.transport.reservation, place)
        return SandboxSocket(key: key, use(of: port.transport, port.containerAddress, port.containerPort), socket)
    }

    /// What becomes of a port's socket.
    private static func use(of transport: PublishedPort.Transport, _ target: IPAddress, _ port: UInt16) -> SandboxSocket.Use {
        transport == .sctp ? .reserved : .relay(transport, to: target, port: port)
    }

    private func refusal(_ failure: PlaceFailure, _ request: PortRequest) -> NetworkError {
        let (address, port, transport) = (failure.address, failure.port, request.port.transport)
        let place = address.withPort(port)
        let binding = "\(place):\(failure.target.withPort(request.port.number))/\(transport.rawValue)"
        let prefix = "driver failed programming external connectivity on endpoint \(endpoint.sandboxName) (\(endpoint.id)): "
        switch failure.cause {
        case .EADDRINUSE:
            if let range = request.hostPorts, range.count > 1 {
                return NetworkError(
                    .conflict, "\(prefix)Bind for \(address.withPort(range.lowerBound))-\(range.upperBound) failed: all ports are allocated"
                )
            }
            if let own = ports.first(where: { $0.transport == transport && $0.hostPort == port }) {
                let other = "\(own.containerPort)/\(transport.rawValue)"
                return NetworkError(
                    .conflict, "\(prefix)Bind for \(place) failed: port is already allocated: it is to lead to \(other) as well")
            }
            if let owner = holder(transport, port) {
                return NetworkError(.conflict, "\(prefix)Bind for \(place) failed: port is already allocated: \(owner) has it")
            }
            let other = PortHolder.find(port, transport) ?? "another process"
            return NetworkError(
                .conflict, "\(prefix)failed to bind host port for \(binding): address already in use: \(other) has it")
        case .EACCES:
            return NetworkError(
                .system, "\(prefix)failed to bind host port for \(binding): permission denied: a port below 1024 needs CAP_NET_BIND_SERVICE"
            )
        case .EADDRNOTAVAIL:
            return NetworkError(
                .invalid, "\(prefix)failed to bind host port for \(binding): cannot assign requested address: this host has no such address"
            )
        case .EPROTONOSUPPORT, .EAFNOSUPPORT:
            return NetworkError(.unsupported, "\(prefix)this kernel does not speak \(transport.rawValue) over \(address)")
        default: return NetworkError(.system, "\(prefix)failed to bind host port for \(binding): \(failure.cause)")
        }
    }
}

extension IPAddress {
    /// 127.0.0.1, or ::1.
    static func loopback(_ version: Version) -> IPAddress { IPAddress(version, version == .v4 ? 0x7f00_0001 : 1) }
}

extension PublishedPort.Transport {
    fileprivate var reservation: InternetSocket.Reservation {
        switch self {
        case .tcp: .tcp
        case .udp: .udp
        case .sctp: .sctp
        }
    }
}
