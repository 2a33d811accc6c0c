internal import BerthLinux
internal import Glibc

/// Names of hosts, as this host's resolver knows them.
enum HostLookup {
    /// The first address of a host. Blocks.
    ///
    /// - Throws: `unavailable` where there is none, or nobody who knows.
    static func endpoint(_ host: String, port: UInt16, isStream: Bool) throws(ContainerError) -> InternetEndpoint {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        // No host is this one, as with Docker.
        let result = unsafe getaddrinfo(host.isEmpty ? "127.0.0.1" : host, nil, &hints, &found)
        defer { if let found = unsafe found { unsafe freeaddrinfo(found) } }
        guard result == 0, let first = unsafe found?.pointee, let endpoint = unsafe endpoint(first, port: port) else {
            let reason = result == 0 ? "it has no address" : unsafe String(cString: gai_strerror(result))
            throw ContainerError(.invalid, "failed to initialize logging driver: lookup \(host): \(reason)")
        }
        return endpoint
    }

    private static func endpoint(_ found: addrinfo, port: UInt16) -> InternetEndpoint? {
        guard let address = unsafe found.ai_addr else { return nil }
        switch unsafe found.ai_family {
        case AF_INET:
            let bytes = unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe withUnsafeBytes(of: $0.pointee.sin_addr) { unsafe Array($0) }
            }
            return InternetEndpoint(address: bytes, port: port)
        case AF_INET6:
            let (bytes, scope) = unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                unsafe (withUnsafeBytes(of: $0.pointee.sin6_addr) { unsafe Array($0) }, $0.pointee.sin6_scope_id)
            }
            return InternetEndpoint(address: bytes, port: port, scope: scope)
        default: return nil
        }
    }
}
