public import BerthLinux
public import BerthNetlink
internal import Synchronization

/// The sockets in a sandbox by which its name server is asked, and the rules that lead to them.
///
/// They are at ``address`` on high ports, so that the sandbox's processes may have port 53 of all its addresses themselves; a table of the sandbox's own
/// sends what is for ``address``, port 53, to them, also where somebody in the sandbox has bound just that, as with Docker. Whoever holds the sockets
/// need not answer: questions wait in them.
public struct NameSockets: ~Copyable, Sendable {
    /// The address of the name server in each sandbox.
    public static let address = IPAddress(.v4, 0x7F00_000B)
    /// How many bytes of questions wait while nobody answers, the kernel's own for each included: for more than a thousand.
    public static var waitingByteCount: Int32 { 1 << 20 }
    /// How many connections wait while nobody answers.
    public static var waitingConnectionCount: Int32 { 128 }

    /// The socket of UDP.
    public let udp: OwnedDescriptor
    /// The socket of TCP, which listens.
    public let tcp: OwnedDescriptor
    /// The port of ``udp``.
    public let udpPort: UInt16
    /// The port of ``tcp``: the same where it is free.
    public let tcpPort: UInt16

    /// Makes sockets and rules in a sandbox's namespace. Blocks. The loopback interface may be down yet.
    ///
    /// Doing it again makes new sockets, and the rules lead to them from then on. On failure no socket is left, and the rules are as they were.
    /// - Throws: `unsupported` where the kernel cannot translate addresses by nf_tables.
    public static func make(in namespace: NamespaceHandle) throws(NetworkError) -> NameSockets {
        let place = Place()
        let problem: NetworkError?
        do throws(NetlinkError) {
            problem = try namespace.run { () throws(NetlinkError) in
                do throws(NetworkError) { place.put(try makeHere()) } catch { return error }
                return nil
            }
        } catch {
            throw NetworkError(.system, "cannot make a sandbox's name server: \(error)")
        }
        if let problem { throw problem }
        guard let made = place.take() else { throw NetworkError(.system, "cannot make a sandbox's name server: nothing was made") }
        return made
    }

    /// Where what one thread has made is found by another.
    private final class Place: Sendable {
        private let value = Mutex<NameSockets?>(nil)
        func put(_ sockets: consuming NameSockets) {
            var sockets: NameSockets? = sockets
            value.withLock { $0 = sockets.take() }
        }
        func take() -> NameSockets? { value.withLock { $0.take() } }
    }

    /// Makes sockets and rules in the namespace of the calling thread: see ``make(in:)``.
    public static func makeHere() throws(NetworkError) -> NameSockets {
        let sockets: NameSockets
        do throws(Errno) { sockets = try makeSockets() } catch {
            throw NetworkError(.system, "cannot make the sockets of a sandbox's name server: \(error)")
        }
        do throws(NetlinkError) {
            var socket = try NetlinkSocket(.netfilter)
            try socket.commit(redirection(udpPort: sockets.udpPort, tcpPort: sockets.tcpPort))
        } catch {
            guard [.notFound, .unsupported].contains(error.code) else {
                throw NetworkError(.system, "cannot lead to a sandbox's name server: \(error)")
            }
            throw NetworkError(
                .unsupported,
                "cannot lead to a sandbox's name server: this kernel cannot translate addresses by nf_tables (\(error)); load the modules nf_tables, nft_chain_nat and nft_nat"
            )
        }
        return sockets
    }

    private static func makeSockets() throws(Errno) -> NameSockets {
        let udp = try InternetSocket.make(.datagrams, addressByteCount: 4)
        try udp.setReceiveRoom(byteCount: waitingByteCount)
        let udpPort = try bind(udp, 0)
        let tcp = try InternetSocket.make(.stream, addressByteCount: 4)
        let tcpPort = try bindNear(tcp, udpPort)
        try tcp.listen(waitingCount: waitingConnectionCount)
        return NameSockets(udp: udp, tcp: tcp, udpPort: udpPort, tcpPort: tcpPort)
    }

    /// Gives both sockets away.
    public consuming func take<Result: ~Copyable, Failure: Error>(
        _ body: (_ udp: consuming OwnedDescriptor, _ tcp: consuming OwnedDescriptor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(udp, tcp)
    }

    private static func bind(_ socket: borrowing OwnedDescriptor, _ port: UInt16) throws(Errno) -> UInt16 {
        guard let endpoint = InternetEndpoint(address: address.bytes, port: port) else { throw .EINVAL }
        try socket.bind(to: endpoint, isFree: true)
        return try socket.endpoint().port
    }

    /// The same port, unless somebody has it.
    private static func bindNear(_ socket: borrowing OwnedDescriptor, _ port: UInt16) throws(Errno) -> UInt16 {
        do throws(Errno) { return try bind(socket, port) } catch {
            guard error == .EADDRINUSE else { throw error }
            return try bind(socket, 0)
        }
    }
}

extension NameSockets {
    /// The port at which resolvers ask.
    static var usualPort: UInt16 { 53 }

    /// The rules that lead to the sockets, in the sandbox's own namespace: what was there of them goes.
    static func redirection(udpPort: UInt16, tcpPort: UInt16) -> NfTransaction {
        var transaction = NfTransaction()
        guard let name = NfName("berth-names"), let chainName = NfName("output") else { return transaction }
        let table = NfTableName(.ipv4, name)
        transaction.add(NfTable(table, comment: "leads to the name server of this sandbox"))
        // Where Docker has it, and where others that translate addresses are.
        transaction.add(NfChain(table, chainName, at: .init(.nat, .output, priority: -100)))
        transaction.flush(chain: chainName, of: table)
        for (transport, port) in [(UInt8(17), udpPort), (6, tcpPort)] {
            // Not "redirect", which would lead to 127.0.0.1.
            transaction.add(
                NfRule(
                    table, chainName,
                    .destinationIsIn(IPPrefix(address)) + .transportProtocolIs(transport) + .destinationPortIs(usualPort) + [
                        .immediate(address.bytes, into: .word(0)), .immediate(NfValue.port(port), into: .word(1)),
                        .nat(.destination, .ipv4, address: .word(0), port: .word(1), flags: []),
                    ]))
        }
        return transaction
    }
}
