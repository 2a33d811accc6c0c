internal import CBerth
internal import Glibc

/// Where a socket of the Internet protocol is: an address and a port.
public struct InternetEndpoint: Hashable, Sendable {
    /// The address in the network's order: 4 bytes, or 16.
    public let address: [UInt8]
    /// The port.
    public let port: UInt16
    /// The number of a link, for addresses that are known to one alone (`fe80::`); otherwise 0.
    public let scope: UInt32

    /// An endpoint of these; `nil` for an address of another length.
    public init?(address: [UInt8], port: UInt16, scope: UInt32 = 0) {
        guard address.count == 4 || address.count == 16 else { return nil }
        (self.address, self.port, self.scope) = (address, port, scope)
    }

    init(_ endpoint: berth_endpoint) {
        let size = Int(min(endpoint.address_size, 16))
        address = unsafe withUnsafeBytes(of: endpoint.address) { unsafe Array($0.prefix(size)) }
        (port, scope) = (endpoint.port, endpoint.scope)
    }

    var kernel: berth_endpoint {
        var endpoint = berth_endpoint()
        endpoint.address_size = UInt32(address.count)
        (endpoint.port, endpoint.scope) = (port, scope)
        unsafe withUnsafeMutableBytes(of: &endpoint.address) { unsafe $0.copyBytes(from: address) }
        return endpoint
    }

    /// The number of a link of the calling thread's network namespace; `nil` where there is none of that name.
    public static func linkNumber(_ name: String) -> UInt32? {
        let number = unsafe name.withCString { unsafe berth_link_number($0) }
        return number == 0 ? nil : number
    }
}

/// Sockets of the Internet protocol, of the calling thread's network namespace. No call on one waits.
public enum InternetSocket {
    /// What goes through one.
    public enum Kind: Sendable {
        /// TCP.
        case stream
        /// UDP.
        case datagrams
    }

    /// What can be reserved.
    public enum Reservation: CInt, Sendable {
        /// A port of TCP.
        case tcp = 0
        /// A port of UDP.
        case udp = 1
        /// A port of SCTP.
        case sctp = 2
    }

    /// A socket that has a port of the host's, so that nobody else can: it listens, but for UDP, which does not. One for version 6 leaves version 4 alone.
    ///
    /// - Throws: `EADDRINUSE` where another has it, `EADDRNOTAVAIL` where no link has the address, `EACCES` without the right to so low a port,
    ///   `EPROTONOSUPPORT` and `EAFNOSUPPORT` where the kernel lacks it.
    public static func reserve(_ kind: Reservation, _ endpoint: InternetEndpoint, waitingCount: Int32 = 4096) throws(Errno)
        -> OwnedDescriptor
    {
        var kernel = endpoint.kernel
        return OwnedDescriptor(adopting: try check { unsafe berth_internet_reserve(kind.rawValue, &kernel, waitingCount) })
    }

    /// A socket for addresses of 4 or 16 bytes.
    ///
    /// - Throws: `EAFNOSUPPORT` where the kernel does not have that version.
    public static func make(_ kind: Kind, addressByteCount: Int) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try check { berth_internet_socket(CInt(addressByteCount), kind == .stream ? 1 : 0) })
    }
}

extension OwnedDescriptor {
    /// Gives a socket its address; port 0 is any that is free.
    ///
    /// - Parameter isFree: also an address that no link has, or has yet.
    /// - Throws: `EADDRINUSE` where another has it, `EADDRNOTAVAIL` where no link has it.
    public borrowing func bind(to endpoint: InternetEndpoint, isFree: Bool = false) throws(Errno) {
        var kernel = endpoint.kernel
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { unsafe berth_internet_bind(raw, &kernel, isFree ? 1 : 0) } }
    }

    /// Listens for connections.
    public borrowing func listen(waitingCount: Int32) throws(Errno) {
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { berth_internet_listen(raw, waitingCount) } }
    }

    /// Begins to connect: `false` where that goes on, until the socket can be written; ``takeError()`` tells then how it ended.
    public borrowing func beginConnecting(to endpoint: InternetEndpoint) throws(Errno) -> Bool {
        var kernel = endpoint.kernel
        let result = withRawDescriptor { unsafe berth_internet_connect($0, &kernel) }
        if result == 0 { return true }
        // Also one that was interrupted goes on.
        let error = Errno.current
        guard error.rawValue == EINPROGRESS || error == .EINTR else { throw error }
        return false
    }

    /// What went wrong on a socket since it was last asked; `nil` if nothing did.
    public borrowing func takeError() -> Errno? {
        let number = withRawDescriptor { berth_socket_error($0) }
        return number == 0 ? nil : Errno(rawValue: number)
    }

    /// Where a socket is.
    public borrowing func endpoint() throws(Errno) -> InternetEndpoint {
        var kernel = berth_endpoint()
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { unsafe berth_internet_name(raw, &kernel) } }
        return InternetEndpoint(kernel)
    }

    /// Takes a datagram, whatever the socket's mode without waiting; `nil` where there is none. What does not fit into the buffer is lost.
    public borrowing func receiveDatagram(into buffer: inout [UInt8]) throws(Errno) -> (byteCount: Int, sender: InternetEndpoint)? {
        var sender = berth_endpoint()
        let capacity = buffer.count
        do throws(Errno) {
            let count = try withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe berth_internet_receive(raw, &buffer, capacity, &sender) }
            }
            return (count, InternetEndpoint(sender))
        } catch {
            if error == .EAGAIN { return nil }
            throw error
        }
    }

    /// Takes what is there from whom the socket is connected to, without waiting; `nil` where there is nothing, 0 where a stream has ended.
    public borrowing func receiveNow(into buffer: inout [UInt8]) throws(Errno) -> Int? {
        let capacity = buffer.count
        do throws(Errno) {
            return try withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe berth_internet_receive(raw, &buffer, capacity, nil) }
            }
        } catch {
            if error == .EAGAIN { return nil }
            throw error
        }
    }

    /// Sends to whom the socket is connected to, without waiting and without a signal, and says how much was taken; `nil` where there is no room now.
    ///
    /// - Throws: `EPIPE`, `ECONNRESET` where the other side has gone, `ECONNREFUSED` where a datagram sent before found nobody.
    public borrowing func sendNow(_ bytes: [UInt8], from offset: Int = 0) throws(Errno) -> Int? {
        do throws(Errno) {
            return try unsafe bytes.span.extracting(offset..<bytes.count).bytes.withUnsafeBytes { (buffer) throws(Errno) in
                try withRawDescriptor { (raw) throws(Errno) in
                    try check { unsafe berth_internet_send(raw, buffer.baseAddress, buffer.count) }
                }
            }
        } catch {
            if error == .EAGAIN { return nil }
            throw error
        }
    }

    /// Sends a datagram without waiting and without a signal; `false` where there is no room now.
    ///
    /// - Parameter sender: the address that it comes from, of version 4, for a socket that was bound to it while no link had it: it would come from another.
    public borrowing func sendDatagram(_ bytes: [UInt8], to receiver: InternetEndpoint, from sender: InternetEndpoint? = nil) throws(Errno)
        -> Bool
    {
        var (kernelReceiver, kernelSender) = (receiver.kernel, sender?.kernel ?? berth_endpoint())
        do throws(Errno) {
            _ = try withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe berth_internet_send_to(raw, bytes, bytes.count, &kernelReceiver, &kernelSender) }
            }
            return true
        } catch {
            if error == .EAGAIN { return false }
            throw error
        }
    }

    /// Lets so many bytes wait in a socket until they are taken, the kernel's own for each datagram included: beyond the system's limit where the right is there.
    public borrowing func setReceiveRoom(byteCount: Int32) throws(Errno) {
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { berth_internet_room(raw, byteCount) } }
    }

    /// The network namespace that a socket belongs to.
    ///
    /// - Throws: `EPERM` without rights over it.
    public borrowing func networkNamespace() throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try withRawDescriptor { (raw) throws(Errno) in try check { berth_socket_namespace(raw) } })
    }
}
