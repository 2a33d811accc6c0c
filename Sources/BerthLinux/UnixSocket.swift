internal import CBerth
internal import Glibc

/// Sockets that have a path on the host.
public enum UnixSocket {
    /// What goes through one.
    public enum Kind: Sendable {
        /// Bytes.
        case stream
        /// Whole messages, which may be lost.
        case datagrams
    }

    /// Connects to whoever listens at a path, through links too. The socket does not block.
    ///
    /// - Throws: `ENOENT` where nothing is, `ECONNREFUSED` where nobody listens any more, `EPROTOTYPE` where the other kind is expected, `EAGAIN` where too many
    ///   wait already.
    public static func connect(_ kind: Kind, to path: String) throws(Errno) -> OwnedDescriptor {
        guard let slash = path.lastIndex(of: "/") else { throw .ENOENT }
        let directory = try Directory.open(slash == path.startIndex ? "/" : String(path[..<slash]))
        let type = CInt((kind == .stream ? SOCK_STREAM : SOCK_DGRAM).rawValue | SOCK_NONBLOCK.rawValue)
        let name = try PathBytes(String(path[path.index(after: slash)...]))
        return OwnedDescriptor(adopting: try unsafe directory.call(name) { unsafe berth_connect($0, $1, type) })
    }
}

extension OwnedDescriptor {
    /// Hands a file to whom a socket of datagrams is connected to, without any bytes and without waiting.
    ///
    /// - Throws: `EAGAIN` where there is no room now.
    public borrowing func sendNow(_ file: borrowing OwnedDescriptor) throws(Errno) {
        _ = try file.withRawDescriptor { (file) throws(Errno) in
            try withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe berth_send_message(raw, nil, 0, [file], 1, CInt(MSG_DONTWAIT)) }
            }
        }
    }
}
