internal import Glibc

extension VolumeSource {
    /// With an address where the options of a file system of another machine's have a name (`addr=`): the kernel knows no names. The host's resolver is asked, and
    /// may take its time. Blocks.
    ///
    /// - Throws: `invalid` for a name that nobody knows.
    public func resolved() throws(VolumeError) -> VolumeSource {
        guard case .fileSystem(let type, let device, let options) = self, ["nfs", "nfs4", "cifs"].contains(type) else { return self }
        let resolved = try options.map { option throws(VolumeError) in
            guard option.hasPrefix("addr=") else { return option }
            return "addr=" + (try Self.address(of: String(option.dropFirst("addr=".count))))
        }
        return .fileSystem(type: type, device: device, options: resolved)
    }

    /// The first of version 4, else the first.
    private static func address(of name: String) throws(VolumeError) -> String {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else {
            let reason = unsafe String(cString: gai_strerror(code))
            throw VolumeError(.invalid, "error resolving passed in network volume address: lookup \(name): \(reason)")
        }
        defer { unsafe freeaddrinfo(list) }
        var (found, next) = unsafe (list, list)
        while let entry = unsafe next {
            if unsafe entry.pointee.ai_family == AF_INET {
                unsafe found = entry
                break
            }
            unsafe next = entry.pointee.ai_next
        }
        var text = [UInt8](repeating: 0, count: Int(NI_MAXHOST))
        let written = unsafe text.withUnsafeMutableBytes { bytes in
            unsafe getnameinfo(
                found?.pointee.ai_addr, found?.pointee.ai_addrlen ?? 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                socklen_t(bytes.count), nil, 0, NI_NUMERICHOST)
        }
        guard written == 0 else {
            throw VolumeError(.invalid, "error resolving passed in network volume address: \(name) has an address that cannot be written")
        }
        return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
}
