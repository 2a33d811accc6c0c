internal import BerthLinux
internal import Glibc

/// Where a request's body is written while it is made.
public final class BodySink {
    private let socket: CInt
    private(set) var isHeard = true
    /// How many bytes were written.
    public private(set) var byteCount: UInt64 = 0

    private init(_ socket: CInt) { self.socket = socket }

    /// Sends what is made, in chunks.
    ///
    /// - Returns: `false` where the daemon has closed its side: it may have answered already.
    static func send(made make: (BodySink) throws(ClientError) -> Void, to connection: borrowing Connection) throws(ClientError) -> Bool {
        let outcome = connection.descriptor.withRawDescriptor { raw -> Result<Bool, ClientError> in
            let sink = BodySink(raw)
            do throws(ClientError) {
                do throws(ClientError) { try make(sink) } catch {
                    // Whoever is not heard stops, and the answer says why.
                    if sink.isHeard { throw error }
                }
                return .success(sink.isHeard)
            } catch { return .failure(error) }
        }
        guard try outcome.get() else { return false }
        return try connection.write(Array("0\r\n\r\n".utf8))
    }

    /// Writes some bytes.
    ///
    /// - Throws: ``ClientError/Code/lost`` where the daemon does not take them.
    public func write(_ bytes: borrowing RawSpan) throws(ClientError) {
        guard bytes.byteCount > 0 else { return }
        var head = Array("\(String(bytes.byteCount, radix: 16))\r\n".utf8)
        var tail: [UInt8] = [13, 10]
        let outcome = unsafe bytes.withUnsafeBytes { bytes in
            unsafe head.withUnsafeMutableBytes { head in
                unsafe tail.withUnsafeMutableBytes { tail -> Result<Void, ClientError> in
                    var parts = unsafe [
                        iovec(iov_base: head.baseAddress, iov_len: head.count),
                        iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count),
                        iovec(iov_base: tail.baseAddress, iov_len: tail.count),
                    ]
                    do throws(ClientError) { return .success(try unsafe send(&parts)) } catch { return .failure(error) }
                }
            }
        }
        try outcome.get()
        byteCount += UInt64(bytes.byteCount)
    }

    private func send(_ parts: inout [iovec]) throws(ClientError) {
        var first = 0
        while unsafe first < parts.count {
            var sent = unsafe parts.withUnsafeMutableBufferPointer { parts in
                var message = unsafe msghdr()
                unsafe message.msg_iov = parts.baseAddress! + first
                unsafe message.msg_iovlen = numericCast(parts.count - first)
                return unsafe sendmsg(socket, &message, CInt(MSG_NOSIGNAL))
            }
            guard sent >= 0 else {
                let error = Errno.current
                if error == .EINTR { continue }
                isHeard = error != .EPIPE && error != .ECONNRESET
                throw ClientError(.lost, "The daemon cannot be written to: \(error).", underlying: error)
            }
            while unsafe first < parts.count, unsafe sent >= parts[first].iov_len {
                unsafe sent -= parts[first].iov_len
                first += 1
            }
            guard unsafe first < parts.count else { break }
            unsafe parts[first].iov_base = parts[first].iov_base?.advanced(by: sent)
            unsafe parts[first].iov_len -= sent
        }
    }
}
