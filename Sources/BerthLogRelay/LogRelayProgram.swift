internal import BerthLaunch
internal import BerthLinux
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Speaks TLS with a receiver of logs for a monitor, which has descriptor 3 (``LogRelay``). It lives for one connection.
enum LogRelayProgram {
    /// How long a receiver may take until it is connected.
    private static let patience = TimeAmount.seconds(10)
    /// How long it may then take for what is left when the monitor has ended, as long as a monitor gives any receiver.
    private static let patienceAtEnd = TimeAmount.seconds(30)

    /// Relays, and ends the process.
    static func run(_ arguments: [String]) -> Never {
        guard let relay = LogRelay(program: "", arguments: arguments), fcntl(3, F_GETFD) >= 0 else { exit(2) }
        _ = signal(SIGPIPE, SIG_IGN)
        let monitor = MonitorEnd(adopting: 3)
        do {
            let channel = try connect(relay, monitor)
            try endLate(channel.eventLoop, monitor)
            try pass(from: monitor, to: channel)
            exit(0)
        } catch {
            monitor.write([LogRelay.refused] + Array(reason(error).utf8.prefix(1000)))
            exit(1)
        }
    }

    private static func connect(_ relay: LogRelay, _ monitor: MonitorEnd) throws -> any Channel {
        let context = try NIOSSLContext(configuration: configuration(relay))
        let socket = try connectedSocket(relay.endpoint)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let isReady = loop.makePromise(of: Void.self)
        loop.scheduleTask(in: patience) { isReady.fail(Errno.ETIMEDOUT) }
        // An address is looked for in the certificate as the other side's.
        let name = isAddress(relay.serverName) ? nil : relay.serverName
        let channel = try ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHandler(NIOSSLClientHandler(context: context, serverHostname: name))
                    try operations.addHandler(ReceiverHandler(monitor, isReady))
                }
            }
            .withConnectedSocket(socket.release()).wait()
        try isReady.futureResult.wait()
        return channel
    }

    private static func connectedSocket(_ endpoint: InternetEndpoint) throws(Errno) -> OwnedDescriptor {
        let socket = try InternetSocket.make(.stream, addressByteCount: endpoint.address.count)
        if try !socket.beginConnecting(to: endpoint) {
            var polled = socket.withRawDescriptor { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
            guard unsafe poll(&polled, 1, CInt(patience.nanoseconds / 1_000_000)) > 0 else { throw Errno.ETIMEDOUT }
            if let error = socket.takeError() { throw error }
        }
        return socket
    }

    /// Hands on what the monitor writes, as fast as the receiver takes it, to its end.
    private static func pass(from monitor: MonitorEnd, to channel: any Channel) throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = try monitor.descriptor.read(intoArray: &buffer), count > 0 {
            try channel.writeAndFlush(ByteBuffer(bytes: buffer[..<count])).wait()
        }
        try channel.close().wait()
    }

    /// When the monitor has ended, a receiver that does not read is not waited for any longer than that.
    private static func endLate(_ loop: any EventLoop, _ monitor: MonitorEnd) throws(Errno) {
        try startThread {
            // That its other end is closed is told whatever is asked.
            var polled = monitor.descriptor.withRawDescriptor { pollfd(fd: $0, events: 0, revents: 0) }
            while unsafe poll(&polled, 1, -1) < 0 {}
            loop.scheduleTask(in: patienceAtEnd) { exit(1) }
        }
    }

    private static func configuration(_ relay: LogRelay) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if !relay.verifies { configuration.certificateVerification = .none }
        if !relay.authorities.isEmpty {
            // Read here, so that what is wrong with it is told.
            let authorities = try read(relay.authorities, "could not read CA certificate") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.additionalTrustRoots = [.certificates(authorities)]
        }
        if !relay.certificate.isEmpty || !relay.privateKey.isEmpty {
            configuration.certificateChain = try read(relay.certificate, "could not load the certificate") {
                try NIOSSLCertificate.fromPEMFile($0).map { .certificate($0) }
            }
            configuration.privateKey = try read(relay.privateKey, "could not load the key") {
                .privateKey(try NIOSSLPrivateKey(file: $0, format: .pem))
            }
        }
        return configuration
    }

    private struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    private static func read<Value>(_ path: String, _ what: String, _ body: (String) throws -> Value) throws -> Value {
        do { return try body(path) } catch { throw Unreadable(description: "\(what) \"\(path)\": \(reason(error))") }
    }

    private static func isAddress(_ text: String) -> Bool { (try? SocketAddress(ipAddress: text, port: 0)) != nil }

    /// What went wrong, in one line.
    private static func reason(_ error: any Error) -> String {
        let text =
            switch error {
            case NIOSSLError.handshakeFailed(let cause): "tls: \(cause)"
            case is NIOSSLError, is NIOSSLExtraError: "tls: \(error)"
            default: "\(error)"
            }
        return text.split { $0.isNewline }.joined(separator: " ")
    }
}

/// The monitor's end of the pair of sockets.
final class MonitorEnd: Sendable {
    let descriptor: OwnedDescriptor

    init(adopting raw: CInt) { descriptor = OwnedDescriptor(adopting: raw) }

    /// Waits until the monitor has room for it. Of one that is gone, the end is seen where it is read.
    func write(_ bytes: [UInt8]) { try? unsafe descriptor.writeAll(bytes.span.bytes) }
}
