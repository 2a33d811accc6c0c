internal import BerthLinux
internal import Glibc

/// A connection to a daemon: blocking, used by one thread.
struct Connection: ~Copyable {
    let descriptor: OwnedDescriptor
    /// What has been read and not yet been used.
    private(set) var buffer: [UInt8] = []
    private var start = 0

    /// O_PATH, which the C library's module hides.
    private static let pathOnly: CInt = 0o10000000

    /// How long a daemon may take to accept.
    static let acceptSeconds = 30

    init(to address: DaemonAddress) throws(ClientError) {
        switch address {
        case .unix(let path): descriptor = try Self.unix(path, address)
        case .tcp(let host, let port): descriptor = try Self.tcp(host, port, address)
        }
    }

    init(adopting descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    private static func socket(_ family: CInt, _ address: DaemonAddress) throws(ClientError) -> OwnedDescriptor {
        let raw = Glibc.socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw failure(address, .current) }
        var limit = timeval(tv_sec: acceptSeconds, tv_usec: 0)
        unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return OwnedDescriptor(adopting: raw)
    }

    /// From now on a write may wait: the daemon reads as fast as a container does.
    private static func unbound(_ socket: borrowing OwnedDescriptor) {
        var limit = timeval(tv_sec: 0, tv_usec: 0)
        socket.withRawDescriptor { raw in
            _ = unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private static func unix(_ path: String, _ address: DaemonAddress) throws(ClientError) -> OwnedDescriptor {
        var name = Array(path.utf8)
        guard !name.contains(0) else { throw ClientError(.address, "The daemon's address \"\(address)\" has a zero byte in its path.") }
        // A socket's name has 107 bytes; a longer path is reached through its directory.
        var directory: CInt = -1
        defer { if directory >= 0 { close(directory) } }
        if name.count > 107 {
            let parts = path.split(separator: "/")
            let parent = "/" + parts.dropLast().joined(separator: "/")
            directory = unsafe open(parent, pathOnly | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { throw failure(address, .current) }
            name = Array("/proc/self/fd/\(directory)/\(parts.last ?? "")".utf8)
            guard name.count <= 107 else { throw failure(address, .ENAMETOOLONG) }
        }
        let socket = try socket(AF_UNIX, address)
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &target.sun_path) { unsafe $0.copyBytes(from: name) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = socket.withRawDescriptor { raw in
            unsafe withUnsafePointer(to: &target) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in retry { unsafe connect(raw, pointer, size) } }
            }
        }
        guard result == 0 else { throw failure(address, .current) }
        unbound(socket)
        return socket
    }

    private static func tcp(_ host: String, _ port: UInt16, _ address: DaemonAddress) throws(ClientError) -> OwnedDescriptor {
        let numeric = try HostNames.numeric(host, address)
        var four = sockaddr_in()
        var six = sockaddr_in6()
        let isFour = unsafe inet_pton(AF_INET, numeric, &four.sin_addr) == 1
        guard unsafe isFour || inet_pton(AF_INET6, numeric, &six.sin6_addr) == 1 else {
            throw ClientError(.address, "\"\(host)\" in \(address) is no address: write a numeric one, localhost, or a name of /etc/hosts.")
        }
        (four.sin_family, four.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
        (six.sin6_family, six.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)
        let socket = try socket(isFour ? AF_INET : AF_INET6, address)
        let result = socket.withRawDescriptor { raw in
            if isFour {
                unsafe withUnsafePointer(to: &four) {
                    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                        retry { unsafe connect(raw, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) }
                    }
                }
            } else {
                unsafe withUnsafePointer(to: &six) {
                    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                        retry { unsafe connect(raw, pointer, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
                    }
                }
            }
        }
        guard result == 0 else { throw failure(address, .current) }
        var one: CInt = 1
        socket.withRawDescriptor { raw in
            _ = unsafe setsockopt(raw, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        }
        unbound(socket)
        return socket
    }

    private static func retry(_ call: () -> CInt) -> CInt {
        while true {
            let result = call()
            if result == 0 || errno != EINTR { return result }
        }
    }

    /// What to say, and what to try, when nobody answers.
    static func failure(_ address: DaemonAddress, _ error: Errno) -> ClientError {
        let advice =
            switch error {
            case .EACCES, .EPERM: "You may not use it: try as root, or as a member of the group that owns the socket."
            case .ENOENT, .ECONNREFUSED:
                "Is berthd running? Start it with `berthd` as root, or name another daemon with -H or DOCKER_HOST."
            case .EAGAIN: "It did not accept within \(acceptSeconds) seconds."
            default: "Is that where the daemon listens?"
            }
        return ClientError(.connection, "Cannot connect to the daemon at \(address): \(error). \(advice)", underlying: error)
    }

    // MARK: Bytes

    /// What has been read and not yet been used.
    var available: Int { buffer.count - start }

    /// How much is read at a time, at most.
    static let pieceByteCount = 256 << 10

    /// Where it is read to: with little room until that has been filled, since most answers are short.
    private var chunk = [UInt8](repeating: 0, count: 8 << 10)

    /// Waits for more bytes. `false` at the end.
    mutating func fill() throws(ClientError) -> Bool {
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        do {
            let count = try descriptor.read(intoArray: &chunk)
            buffer += chunk[..<count]
            if count == chunk.count, count < Self.pieceByteCount { chunk = [UInt8](repeating: 0, count: Self.pieceByteCount) }
            return count > 0
        } catch {
            if error == .ECONNRESET { return false }
            throw ClientError(.lost, "The connection to the daemon broke: \(error).", underlying: error)
        }
    }

    /// Takes up to so many of the bytes that have been read.
    mutating func take(_ limit: Int) -> ArraySlice<UInt8> {
        let end = min(buffer.count, start + limit)
        defer { start = end }
        return buffer[start..<end]
    }

    /// Takes a line that ends with a line feed; the line without it and without the carriage return before it.
    ///
    /// - Returns: `nil` at the end of the connection.
    mutating func takeLine(limit: Int) throws(ClientError) -> String? {
        var searched = 0
        while true {
            if let end = buffer[(start + searched)...].firstIndex(of: 10) {
                var line = buffer[start..<end]
                if line.last == 13 { line.removeLast() }
                start = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            searched = available
            guard searched <= limit else { throw ClientError(.limit, "The daemon sent a line of more than \(limit) bytes.") }
            guard try fill() else { return nil }
        }
    }

    /// Writes everything.
    ///
    /// - Returns: `false` where the daemon has closed its side: it may have answered already.
    borrowing func write(_ bytes: [UInt8]) throws(ClientError) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = descriptor.withRawDescriptor { raw in
                unsafe bytes.withUnsafeBytes { unsafe send(raw, $0.baseAddress! + offset, $0.count - offset, CInt(MSG_NOSIGNAL)) }
            }
            if count >= 0 {
                offset += count
                continue
            }
            switch Errno.current {
            case .EINTR: continue
            case .EPIPE, .ECONNRESET: return false
            case let error: throw ClientError(.lost, "The daemon cannot be written to: \(error).", underlying: error)
            }
        }
        return true
    }

    /// Whether the other side has closed, or has said something unasked: nothing more can be asked on this connection.
    borrowing func isStale() -> Bool {
        descriptor.withRawDescriptor { raw in
            var state = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            return unsafe poll(&state, 1, 0) != 0
        }
    }

    /// Becomes a stream in both directions, with what was read ahead.
    consuming func hijacked(isRaw: Bool?) -> HijackedStream {
        let rest = Array(buffer[start...])
        return HijackedStream(descriptor: descriptor, readAhead: rest, isRaw: isRaw)
    }
}

/// Names of hosts, without the C library's resolver: it cannot be linked into a static program.
enum HostNames {
    static func numeric(_ host: String, _ address: DaemonAddress) throws(ClientError) -> String {
        if host == "localhost" { return "127.0.0.1" }
        let isNumeric = host.contains(":") || host.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." }
        if isNumeric { return host }
        let table: [UInt8]
        do { table = try HostFile.read("/etc/hosts", limit: 1 << 20) } catch { table = [] }  // without it, no name is known
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            if words.dropFirst().contains(where: { $0 == host }) { return String(words[0]) }
        }
        throw ClientError(.address, "\"\(host)\" in \(address) is not in /etc/hosts: write its numeric address.")
    }
}
