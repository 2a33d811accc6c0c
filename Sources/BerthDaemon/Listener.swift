internal import BerthLinux
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A socket that clients connect to.
struct Listener: Sendable {
    /// Takes a connection, on its event loop.
    typealias Handler = @Sendable (any Channel, Mailbox) -> Void

    let address: ListenAddress
    let channel: any Channel

    /// Listens.
    ///
    /// - Parameter groupID: whose members may connect to a Unix socket, which has mode 0660.
    /// - Throws: `inUse`, `system`.
    static func open(_ address: ListenAddress, groupID: UInt32, on group: MultiThreadedEventLoopGroup, _ handler: @escaping Handler)
        async throws(DaemonError)
        -> Listener
    {
        var endMeansGone = false
        if case .tcp = address { endMeansGone = true }
        let bootstrap = ServerBootstrap(group: group).childChannelOption(.allowRemoteHalfClosure, value: true)
            // Small for calls; it grows while an archive is uploaded.
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 2048, maximum: 256 << 10))
            .serverChannelOption(.backlog, value: 1024)
            .childChannelInitializer { [endMeansGone] channel in Self.prepare(channel, endMeansGone: endMeansGone, handler) }
        switch address {
        case .unix(let path):
            let socket = try bind(path, groupID: groupID)
            let raw = socket.release()
            do {
                let channel = try await bootstrap.withBoundSocket(raw).get()
                return Listener(address: address, channel: channel)
            } catch {
                // NIO has closed the socket; its name is ours to remove.
                Self.unlink(path)
                throw DaemonError(.system, "cannot listen on \(address): \(error)")
            }
        case .tcp(let host, let port):
            do {
                let channel = try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: host, port: port).get()
                let actual = ListenAddress.tcp(host: host, port: channel.localAddress?.port ?? port)
                return Listener(address: actual, channel: channel)
            } catch {
                throw DaemonError(.system, "cannot listen on \(address): \(error)")
            }
        }
    }

    /// Stops listening. The name of a Unix socket goes as well.
    func close() async {
        // It may have closed already, which is what is wanted.
        try? await channel.close().get()
        if case .unix(let path) = address { Self.unlink(path) }
    }

    private static func prepare(_ channel: any Channel, endMeansGone: Bool, _ handler: @escaping Handler) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandlers([encoder, decoder])
            let mailbox = Mailbox()
            try pipeline.addHandler(WireHandler(encoder: encoder, decoder: decoder, mailbox: mailbox, endMeansGone: endMeansGone))
            handler(channel, mailbox)
        }
    }

    /// A path may be longer than the name of a socket can be: the socket is bound beneath its directory.
    private static func bind(_ path: String, groupID: UInt32) throws(DaemonError) -> OwnedDescriptor {
        do {
            let place = try HostPlace(path)
            if try place.directory.contains(place.name) { try removeStale(place) }
            let socket = try place.directory.listen(at: place.name)
            do throws(Errno) {
                try place.directory.setOwner(place.name, userID: 0, groupID: groupID)
                try place.directory.setPermissions(place.name, 0o660)
            } catch {
                try place.directory.removeFile(place.name)
                throw error
            }
            return socket
        } catch let occupied as Occupied {
            throw DaemonError(.inUse, "cannot listen on 'unix://\(path)': \(occupied.reason)")
        } catch {
            let isMissing = error as? Errno == .ENOENT
            throw DaemonError(.system, "cannot listen on 'unix://\(path)': \(error)\(isMissing ? ": make its directory first" : "")")
        }
    }

    private struct Occupied: Error {
        let reason: String
    }

    /// Takes away the socket of a daemon that was killed; one at which somebody answers, and what is no socket, stays.
    private static func removeStale(_ place: borrowing HostPlace) throws {
        guard try place.directory.status(place.name).kind == .socket else {
            throw Occupied(reason: "there is something that is no socket: remove it, or listen elsewhere")
        }
        do throws(Errno) { _ = try place.directory.connect(to: place.name) } catch {
            guard error == .ECONNREFUSED else { throw error }
            return try place.directory.removeFile(place.name)
        }
        throw Occupied(reason: "another daemon answers there: stop it, or listen elsewhere")
    }

    private static func unlink(_ path: String) {
        // A name that stays is taken for what it is by the next start.
        guard let place = try? HostPlace(path) else { return }
        try? place.directory.removeFile(place.name)
    }
}
