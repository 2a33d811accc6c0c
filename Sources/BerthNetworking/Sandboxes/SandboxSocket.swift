public import BerthLinux
public import BerthNetlink

/// A socket of a sandbox's that has to outlive the engine: whoever starts its container hands it to the container's monitor.
public final class SandboxSocket: Sendable {
    /// What becomes of it.
    public enum Use: Hashable, Sendable {
        /// It is kept, and can be lent to the next engine.
        case kept
        /// What comes to it goes to this address: where the kernel does not redirect it.
        case relay(PublishedPort.Transport, to: IPAddress, port: UInt16)
        /// It is kept, and nobody else can have its port.
        case reserved
    }

    /// Its name among the sandbox's sockets.
    public let key: UInt64
    /// What becomes of it.
    public let use: Use
    /// The socket.
    public let descriptor: OwnedDescriptor

    /// A socket of these.
    public init(key: UInt64, _ use: Use, _ descriptor: consuming OwnedDescriptor) {
        (self.key, self.use) = (key, use)
        self.descriptor = descriptor
    }

    /// The keys of those by which names are asked for: UDP, TCP.
    static let nameKeys: (udp: UInt64, tcp: UInt64) = (1, 2)
    /// The first of the others.
    static let firstPortKey: UInt64 = 16
}
