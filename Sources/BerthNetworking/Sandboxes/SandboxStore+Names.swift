internal import BerthLinux
internal import BerthNetlink
internal import Synchronization

// Names: who is found by which, and whom a sandbox asks.
extension SandboxStore {
    /// What the files of a sandbox are to say.
    func files(of record: SandboxRecord) -> SandboxFiles {
        var added: [HostsFile.Line] = []
        // They were checked when the container was made.
        for text in record.naming.extraHosts { added += (try? HostsFile.added(text, gateway: record.hostAddresses ?? [])) ?? [] }
        for link in record.naming.links {
            added += HostsFile.link(alias: link.alias, hostname: link.hostname, name: link.name, addresses: link.addresses)
        }
        let own = HostsFile.names(hostname: record.naming.hostname, domainName: record.naming.domainName)
        let hosts = HostsFile(added: added, ownNames: own, ownAddresses: record.endpoints.flatMap(\.addresses))
        return SandboxFiles(hosts: hosts.contents, resolver: resolver(of: record).contents)
    }

    /// What is known of a sandbox before it has a place anywhere. What `host-gateway` stands for is so as long as the sandbox lives: its files are told from
    /// edited ones by it.
    func record(of request: SandboxRequest) throws(NetworkError) -> SandboxRecord {
        var record = SandboxRecord(request)
        if request.naming.extraHosts.contains(where: HostsFile.namesGateway) { record.hostAddresses = try networks.hostAddresses() }
        return record
    }

    /// What the files of a container say that is in the host's network; `nil` for what the host's own files say.
    func hostNetworkFiles(of request: SandboxRequest) throws(NetworkError) -> SandboxFiles? {
        let naming = request.naming
        guard [naming.extraHosts, naming.search, naming.options].contains(where: { !$0.isEmpty }) || !naming.servers.isEmpty else {
            return nil
        }
        let record = try record(of: request)
        // As with Docker: with hosts of its own, nothing of the host's names is in the file, so that they can be other ones here.
        let hosts = naming.extraHosts.isEmpty ? hostFile(HostsFile.usualPath, ResolverFile.maximumByteCount) : files(of: record).hosts
        return SandboxFiles(hosts: hosts, resolver: resolver(of: record, as: .host).contents)
    }

    private func hostFile(_ path: String, _ limit: Int) -> [UInt8] {
        (try? HostFile.read(path, limit: limit)) ?? []  // a host without one has no names, and asks nobody
    }

    private func resolver(of record: SandboxRecord, as form: ResolverFile.Form? = nil) -> ResolverFile.Composition {
        let naming = record.naming
        let hasIPv6 = record.endpoints.contains { $0.ipv6 != nil }
        let form = form ?? (record.hasNameServer ? .embedded : .direct(hasIPv6: hasIPv6))
        let file = ResolverFile.ofHost(for: form) { hostFile($0, ResolverFile.maximumByteCount) }
        let override = ResolverFile.Override(
            servers: naming.servers.map { ResolverFile.Server($0) }, search: naming.search, options: naming.options)
        let isAllowed = record.endpoints.contains { $0.gateway4 != nil || $0.gateway6 != nil }
        return file.composed(for: form, with: override, isAllowed: isAllowed)
    }

    /// Makes the sockets by which names are asked for, if the sandbox is in a network that has names.
    func makeNameSockets(_ record: inout SandboxRecord, in namespace: SandboxNamespace) throws(NetworkError) -> [SandboxSocket] {
        guard !record.hasNameServer, record.endpoints.contains(where: { hasNames($0.networkID) }) else { return [] }
        record.hasNameServer = true
        return try nameSockets(in: namespace)
    }

    func nameSockets(in namespace: SandboxNamespace) throws(NetworkError) -> [SandboxSocket] {
        try NameSockets.make(in: namespace.handle).take { udp, tcp in
            [SandboxSocket(key: SandboxSocket.nameKeys.udp, .kept, udp), SandboxSocket(key: SandboxSocket.nameKeys.tcp, .kept, tcp)]
        }
    }

    /// Those of the default network have none, as with Docker.
    func hasNames(_ networkID: String) -> Bool {
        guard let network = try? networks.find(networkID) else { return false }  // one that is gone has none
        return !network.isPredefined
    }

    /// Begins to answer at a sandbox's sockets, with duplicates of them; `nil` if they are not among these.
    func makeNameServer(of record: SandboxRecord, by sockets: [SandboxSocket]) throws(NetworkError) -> NameServer? {
        guard let udp = sockets.first(where: { $0.key == SandboxSocket.nameKeys.udp && $0.use == .kept }),
            let tcp = sockets.first(where: { $0.key == SandboxSocket.nameKeys.tcp && $0.use == .kept })
        else { return nil }
        return try NameServer(
            udp: duplicate(udp), tcp: duplicate(tcp), table: names(of: record), upstream: resolver(of: record).upstream, reactor: reactor)
    }

    private func duplicate(_ socket: SandboxSocket) throws(NetworkError) -> OwnedDescriptor {
        do throws(Errno) { return try socket.descriptor.duplicate() } catch { throw NetworkError(.system, "cannot serve names: \(error)") }
    }

    /// What a sandbox's networks know.
    private func names(of record: SandboxRecord) -> NameTable {
        var links: [String: [IPAddress]] = [:]
        let own = record.endpoints.compactMap { endpoint -> NameTable.Network? in
            guard hasNames(endpoint.networkID), let network = try? networks.find(endpoint.networkID) else { return nil }
            let others = networks.endpoints(of: network.id)
            for link in endpoint.configuration.links {
                let (target, alias) = EndpointConfiguration.parts(ofLink: link)
                if let other = others.first(where: { $0.names.contains(target) || $0.sandboxID == target }) {
                    links[alias] = other.addresses
                }
            }
            let hosts = others.compactMap { other in
                // Without one it is a sandbox whose container is removed.
                other.names.first.map { NameTable.Host(name: $0, aliases: Array(other.names.dropFirst()), addresses: other.addresses) }
            }
            return NameTable.Network(name: network.name, subnets: network.parts.map(\.subnet), hosts: hosts)
        }
        return NameTable(own, links: links)
    }

    /// Has a sandbox's name server ask whom it is to ask now.
    func updateUpstream(of record: SandboxRecord, _ server: NameServer) { server.update(resolver(of: record).upstream) }

    /// Has the name servers of everybody in these networks know who is in them.
    func updateNames(in networkIDs: Set<String>) {
        let concerned = sandboxes.withLock { sandboxes in
            sandboxes.compactMap { id, sandbox -> (String, NameServer)? in
                guard let server = sandbox.nameServer, sandbox.record.endpoints.contains(where: { networkIDs.contains($0.networkID) })
                else {
                    return nil
                }
                return (id, server)
            }
        }
        // Not before it is asked: whoever joins a network of a thousand would make a thousand tables.
        for (id, server) in concerned { server.update(by: { [weak self] in self?.names(of: id) ?? NameTable([]) }) }
    }

    private func names(of id: String) -> NameTable? { sandboxes.withLock { $0[id]?.record }.map(names(of:)) }

    /// The keys of the sockets by which a sandbox is asked for names, that the next engine has to be lent; none if it has no name server, or one that is
    /// asked already.
    public func nameSocketKeys(of id: String) -> [UInt64] {
        sandboxes.withLock { sandboxes in
            guard let sandbox = sandboxes[id], sandbox.record.hasNameServer, sandbox.nameServer == nil else { return [] }
            return [SandboxSocket.nameKeys.udp, SandboxSocket.nameKeys.tcp]
        }
    }

    /// Goes on answering at sockets that an earlier engine has made.
    ///
    /// - Parameter descriptors: the sockets by key, lent by who holds them.
    public func answerNames(of id: String, at sockets: [SandboxSocket]) throws(NetworkError) {
        guard let record = sandboxes.withLock({ $0[id]?.record }), let server = try makeNameServer(of: record, by: sockets) else { return }
        sandboxes.withLock { $0[id]?.nameServer = server }
    }
}
