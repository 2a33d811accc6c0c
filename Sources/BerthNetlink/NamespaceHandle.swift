public import BerthLinux
internal import BerthReactor
internal import CBerth

/// A network namespace, held by a descriptor: it is there as long as somebody holds it.
public final class NamespaceHandle: Sendable {
    /// The descriptor.
    public let descriptor: OwnedDescriptor

    /// Takes the ownership of a descriptor of a network namespace. Whether it is one shows at its first use.
    public init(adopting descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// That of the calling thread.
    public static func current() throws(NetlinkError) -> NamespaceHandle {
        do throws(Errno) { return NamespaceHandle(adopting: try HostFile.open("/proc/thread-self/ns/net")) } catch {
            throw NetlinkError(error, "open one's own network namespace")
        }
    }

    /// That of a process.
    ///
    /// - Throws: `notFound` where there is no such process. Who is not its parent makes sure by other means that it is the one that is meant.
    public static func of(process id: Int32) throws(NetlinkError) -> NamespaceHandle {
        do throws(Errno) { return NamespaceHandle(adopting: try ProcessTable.openNamespace("net", of: id)) } catch {
            throw NetlinkError(error, "open the network namespace of process \(id)")
        }
    }

    /// A new one, with a loopback interface that is down, and nothing else.
    public static func make() throws(NetlinkError) -> NamespaceHandle {
        let purpose = "make a network namespace"
        let made: Result<NamespaceHandle, NetlinkError> = try aside(purpose) {
            guard berth_unshare_network() == 0 else { return .failure(NetlinkError(.current, purpose)) }
            do throws(NetlinkError) { return .success(try current()) } catch { return .failure(error) }
        }
        return try made.get()
    }

    /// Runs `body` inside the namespace, on a thread that is thrown away afterwards, and waits for it. Blocks.
    ///
    /// What `body` makes there (a socket) belongs to the namespace for ever; what it starts must not outlive it on that thread.
    /// - Throws: what `body` throws; `invalid` where the descriptor is no network namespace, `denied` where it may not be entered.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws(NetlinkError) -> Value) throws(NetlinkError) -> Value {
        let purpose = "enter a network namespace"
        let result: Result<Value, NetlinkError> = try Self.aside(purpose) { [self] in
            let entered = descriptor.withRawDescriptor { berth_setns($0, Self.networkKind) }
            guard entered == 0 else { return .failure(NetlinkError(.current, purpose)) }
            do throws(NetlinkError) { return .success(try body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// CLONE_NEWNET.
    private static let networkKind: CInt = 0x4000_0000

    private static func aside<Value: Sendable>(_ purpose: String, _ body: @escaping @Sendable () -> Value) throws(NetlinkError) -> Value {
        do throws(Errno) { return try Companion(body).join() } catch { throw NetlinkError(error, purpose) }
    }
}
