public import BerthLaunch
public import BerthLinux
public import BerthReactor

/// A socket on its way between an engine and a monitor.
public final class HandedSocket: Sendable {
    /// What it is and for what.
    public let socket: HeldSocket
    /// The socket; a monitor that was given it has one of its own.
    public let descriptor: OwnedDescriptor

    /// This socket, for this.
    public init(_ socket: HeldSocket, _ descriptor: consuming OwnedDescriptor) {
        self.socket = socket
        self.descriptor = descriptor
    }
}

extension [HandedSocket] {
    /// As many as one message takes in each.
    var messages: [[HandedSocket]] {
        stride(from: 0, to: count, by: HeldSocket.maximumCountPerMessage).map {
            Array(self[$0..<Swift.min($0 + HeldSocket.maximumCountPerMessage, count)])
        }
    }
}

extension MessageSocket {
    borrowing func send(_ bytes: [UInt8], handing sockets: [HandedSocket]) throws(Errno) {
        let numbers = sockets.map { $0.descriptor.withRawDescriptor { $0 } }
        let result = Result { () throws(Errno) in try send(bytes, numbers: numbers) }
        // Until here the descriptors are open.
        withExtendedLifetime(sockets) {}
        try result.get()
    }
}

/// What a monitor holds for its container's sandbox: sockets that outlive the engine, and, where it was asked to stay, the container.
public final class SandboxMonitor: Sendable {
    private let connection: MonitorConnection

    init(_ connection: MonitorConnection) { self.connection = connection }

    /// Hands sockets over. From then on the monitor relays those that are to be relayed.
    ///
    /// - Throws: `system` with `EEXIST` for a key that is in use (so it is on repetition), `EINVAL` for a socket that cannot be used so, `EMFILE` for
    ///   more than the monitor can hold; `notRunning` once the container has ended and the monitor does not stay. Of the sockets some may be
    ///   held then: to drop them all is right.
    public func hold(_ sockets: [HandedSocket]) async throws(RuntimeError) {
        for message in sockets.messages { _ = try await connection.request(.hold(message.map(\.socket)), handing: message) }
    }

    /// Closes sockets, and ends the connections that go through them. Keys that name nothing are fine, and so is repeating. With the last
    /// one a monitor that has stayed ends.
    public func drop(_ keys: [UInt64]) async throws(RuntimeError) {
        for start in stride(from: 0, to: keys.count, by: HeldSocket.maximumKeyCount) {
            _ = try await connection.request(.drop(Array(keys[start..<min(start + HeldSocket.maximumKeyCount, keys.count)])))
        }
    }

    /// What is held, by ascending keys.
    public func held() async throws(RuntimeError) -> [HeldSocket] {
        var all: [HeldSocket] = []
        while true {
            guard case .held(let page, let hasMore) = try await connection.request(.held(from: all.last.map { $0.key + 1 } ?? 0)).answer,
                !hasMore || !page.isEmpty && page.last?.key != .max
            else { throw RuntimeError(.monitor, "the monitor's answer about what it holds makes no sense") }
            all += page
            if !hasMore { return all }
        }
    }

    /// Duplicates of sockets that are kept. Keys that name none are left out.
    public func lend(_ keys: [UInt64]) async throws(RuntimeError) -> [HandedSocket] {
        var lent: [HandedSocket] = []
        for start in stride(from: 0, to: keys.count, by: HeldSocket.maximumCountPerMessage) {
            let some = Array(keys[start..<min(start + HeldSocket.maximumCountPerMessage, keys.count)])
            let received = try await connection.request(.lend(some))
            guard case .held(let sockets, _) = received.answer else {
                throw RuntimeError(.monitor, "the monitor's answer to a loan makes no sense")
            }
            for socket in sockets where socket.use == .kept {
                guard let descriptor = received.takeDescriptor() else {
                    throw RuntimeError(.monitor, "the monitor lent fewer sockets than it said")
                }
                lent.append(HandedSocket(socket, descriptor))
            }
        }
        return lent
    }

    /// Takes ``Runtime/keepSandbox(_:by:in:)`` back: after the container's end, which may have been, the monitor closes what it holds and ends.
    /// Repeating is fine.
    public func release() async throws(RuntimeError) { _ = try await connection.request(.releaseSandbox) }

    /// Waits until the monitor has gone.
    ///
    /// - Throws: `cancelled`.
    public func waitUntilGone() async throws(RuntimeError) { try await connection.over() }

    /// Lets go of the monitor, for one that ``Runtime/findSandbox(_:in:)`` has found; the monitor goes on.
    public func close() { connection.close() }

    func keep(in directory: HandedDirectory) async throws(RuntimeError) {
        _ = try await connection.request(.keepSandbox, handing: [directory.handed])
    }
}

/// A directory that goes along with a request.
final class HandedDirectory: Sendable {
    fileprivate let handed: HandedSocket
    init(_ descriptor: consuming OwnedDescriptor) { handed = HandedSocket(HeldSocket(key: 0, use: .kept), descriptor) }
}

// Monitors that stay are found again by their sandboxes: `sandboxes/<id>/monitor.sock` in the exec-root, whatever has become of their containers.
extension Runtime {
    /// Has a container's monitor stay after its container's end, as long as it holds a socket: for the sandbox's other members. The next engine
    /// finds it by the sandbox's id. Repeating is fine.
    ///
    /// - Throws: `notRunning` where the container has ended before it could be asked: what it held is closed, or about to be.
    public func keepSandbox(_ id: String, by monitor: SandboxMonitor, in lane: Lane) async throws(RuntimeError) {
        let directory = try await lane.run { () throws(RuntimeError) -> HandedDirectory in
            do throws(Errno) {
                let all = try self.sandboxes()
                let name = try PathBytes(id)
                if try !all.contains(name) { try all.makeDirectory(name, permissions: 0o700) }
                return HandedDirectory(try all.openDirectory(name).descriptor.duplicate())
            } catch {
                throw .system("cannot make a place for sandbox \(id.prefix(12)) in the exec-root", error)
            }
        }
        try await monitor.keep(in: directory)
    }

    /// The monitor that was told to stay for a sandbox, on this boot; its container may run or have ended. `nil`: there is none any more.
    ///
    /// - Throws: `system` and `monitor` where nothing can be found out.
    public func findSandbox(_ id: String, in lane: Lane) async throws(RuntimeError) -> SandboxMonitor? {
        let socket = try await lane.run { () throws(RuntimeError) -> SocketHolder? in
            do throws(Errno) {
                let all = try self.sandboxes()
                let name = try PathBytes(id)
                guard try all.contains(name) else { return nil }
                return try Self.ask(try all.openDirectory(name))?.0
            } catch {
                throw .system("cannot speak to the monitor of sandbox \(id.prefix(12))", error)
            }
        }
        guard let socket else { return nil }
        let connection = try MonitorConnection(socket.take(), reactor: reactor)
        connection.listen()
        return SandboxMonitor(connection)
    }

    /// Removes a sandbox's place in the exec-root, once its monitor was released or has gone. Repeating is fine.
    public func removeSandbox(_ id: String, in lane: Lane) async throws(RuntimeError) {
        try await lane.run { () throws(RuntimeError) in
            do throws(Errno) { try self.sandboxes().removeTree(try PathBytes(id)) } catch {
                throw .system("cannot remove the place of sandbox \(id.prefix(12)) in the exec-root", error)
            }
        }
    }

    /// The ids of sandboxes that have a place in the exec-root. Blocks.
    public func sandboxTraces() -> Set<String> {
        // None there: none to find.
        Set(((try? sandboxes().entries()) ?? []).map(\.name.description))
    }

    private func sandboxes() throws(Errno) -> Directory {
        try Directory.open("/").makeDirectories(try PathBytes(configuration.execRoot + "/sandboxes"), permissions: 0o700)
    }
}
