internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// A socket that several tasks use; it is closed when the last of them has gone.
final class HeldSocket: Sendable {
    let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
}

/// Makes sockets of a network namespace: the engine's own, or another, for which a thread has to go there.
final class SocketSource: Sendable {
    /// What is made.
    struct Order: Hashable, Sendable {
        var kind: InternetSocket.Kind
        var version: IPAddress.Version
        fileprivate func make() throws(Errno) -> HeldSocket {
            HeldSocket(try InternetSocket.make(kind, addressByteCount: version.bitCount / 8))
        }
    }

    /// How many are made ahead where a thread has to go for them, since going costs more than making.
    static var stockCount: Int { 4 }

    private let namespace: (@Sendable () throws(Errno) -> NamespaceHandle)?
    private let lane: Lane
    private let stock = Mutex<[Order: [HeldSocket]]>([:])

    /// - Parameter namespace: whose sockets are made, asked each time a thread goes there; `nil` for the engine's own.
    init(lane: Lane, namespace: (@Sendable () throws(Errno) -> NamespaceHandle)?) {
        (self.lane, self.namespace) = (lane, namespace)
    }

    /// A socket that is not connected.
    ///
    /// - Throws: what the kernel says, as `system`; `busy` where too many wait.
    func socket(_ order: Order) async throws(NetworkError) -> HeldSocket {
        guard let namespace else {
            do throws(Errno) { return try order.make() } catch { throw Self.error(error) }
        }
        if let socket = take(order) { return socket }
        return try await lane.run { [self] () throws(NetworkError) in
            // Somebody else may have gone meanwhile.
            if let socket = take(order) { return socket }
            let made: Result<[HeldSocket], Errno>
            do { made = try namespace().run { () throws(NetlinkError) in Self.make(order) } } catch { throw Self.error(error) }
            switch made {
            case .success(var sockets):
                let first = sockets.removeFirst()
                stock.withLock { $0[order, default: []] += sockets }
                return first
            case .failure(let error): throw Self.error(error)
            }
        }
    }

    /// Several, or at least one: what is missing is made the next time.
    private static func make(_ order: Order) -> Result<[HeldSocket], Errno> {
        var made: [HeldSocket] = []
        while made.count <= stockCount {
            do throws(Errno) { made.append(try order.make()) } catch { return made.isEmpty ? .failure(error) : .success(made) }
        }
        return .success(made)
    }

    private static func error(_ reason: any Error) -> NetworkError {
        NetworkError(.system, "cannot make a socket to a name server: \(reason)")
    }

    private func take(_ order: Order) -> HeldSocket? { stock.withLock { $0[order]?.popLast() } }
}

extension Reactor {
    /// What a task gives, unless so much time goes by or the task around it is cancelled first; then it is cancelled, waited for, and the answer is `nil`.
    func within<Value: Sendable>(_ duration: Duration, _ body: @escaping @Sendable () async -> Value?) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await body() }
            group.addTask {
                // Either it is time, or the task is cancelled: in both cases it is over.
                try? await self.sleep(for: duration)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
