public import BerthNetlink
internal import BerthLinux
internal import Synchronization

/// The network namespace of a sandbox, with its loopback interface up, and a way to ask the kernel about it.
public final class SandboxNamespace: Sendable {
    /// The namespace.
    public let handle: NamespaceHandle
    private let socket: Mutex<NetlinkSocket>

    /// A new one. In it nobody needs rights to open low ports, or to ping, as Docker has it. Blocks.
    public static func make() throws(NetworkError) -> SandboxNamespace {
        let namespace: SandboxNamespace
        do throws(NetlinkError) {
            namespace = try SandboxNamespace(try NamespaceHandle.make())
            guard let loopback = InterfaceName("lo") else { preconditionFailure("lo is a name") }
            try namespace.ask { (socket) throws(NetlinkError) in try socket.perform(.changeLink(.name(loopback), LinkChange(isUp: true))) }
        } catch { throw NetworkError(error) }
        try namespace.set(KernelSetting.ofSandboxes)
        return namespace
    }

    /// That of a process which runs.
    ///
    /// - Throws: `notFound` if it has ended; `system`.
    static func of(process id: Int32) throws(NetworkError) -> SandboxNamespace {
        do throws(NetlinkError) { return try SandboxNamespace(try .of(process: id)) } catch {
            guard error.underlying != .ENOENT, error.underlying != .ESRCH else { throw NetworkError(.notFound, error.description) }
            throw NetworkError(error)
        }
    }

    private init(_ handle: NamespaceHandle) throws(NetlinkError) {
        self.handle = handle
        socket = Mutex(try NetlinkSocket(.route, in: handle))
    }

    /// The interfaces in it. Blocks.
    public func interfaces() throws(NetworkError) -> [Link] {
        do throws(NetlinkError) { return try ask { (socket) throws(NetlinkError) in try socket.links() } } catch {
            throw NetworkError(error)
        }
    }

    /// The addresses of an interface in it, without those that the kernel gives every link of its own accord. Blocks.
    public func addresses(of link: Link) throws(NetworkError) -> [IPAddress] {
        do throws(NetlinkError) {
            let all = try ask { (socket) throws(NetlinkError) in try socket.addresses(on: link.index) }
            return all.map(\.prefix.address).filter { !$0.isLinkLocal }
        } catch { throw NetworkError(error) }
    }

    /// Asks the kernel about the interfaces, addresses and routes in it. Blocks.
    public func ask<Value: Sendable>(_ body: (inout NetlinkSocket) throws(NetlinkError) -> Value) throws(NetlinkError) -> Value {
        try socket.withLock { (socket) throws(NetlinkError) -> Value in try body(&socket) }
    }

    /// Writes settings of the kernel that are the namespace's own, by their paths below `/proc/sys/net`. What this kernel does not have is left out. Blocks.
    func set(_ settings: [(path: String, value: String)]) throws(NetworkError) {
        let failure: String?
        do throws(NetlinkError) {
            failure = try handle.run { () throws(NetlinkError) -> String? in KernelSetting.write(settings) }
        } catch { throw NetworkError(error) }
        if let failure { throw NetworkError(.system, failure) }
    }

    /// A path by which another process of this machine reaches it, as long as this object is held.
    var path: String { handle.descriptor.withRawDescriptor { "/proc/\(HostFile.ownProcessID)/fd/\($0)" } }
}
