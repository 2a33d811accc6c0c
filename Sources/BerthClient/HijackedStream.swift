public import BerthLinux
internal import Glibc

/// A connection that has become a stream in both directions.
public struct HijackedStream: ~Copyable {
    /// The socket.
    public let descriptor: OwnedDescriptor
    /// What had arrived behind the answer's head: the first bytes of the stream.
    public let readAhead: [UInt8]
    /// Whether the daemon says that the bytes are a terminal's and not in frames; `nil` where it does not say.
    public let isRaw: Bool?

    /// Says that nothing more will be sent; what comes from the daemon still arrives.
    public borrowing func closeSending() {
        _ = descriptor.withRawDescriptor { shutdown($0, CInt(SHUT_WR)) }
    }
}

extension ResponseBody {
    consuming func hijacked() -> HijackedStream {
        let type = head["content-type"]
        let isRaw: Bool? =
            switch type {
            case "application/vnd.docker.multiplexed-stream": false
            // Older daemons say so of frames as well.
            default: nil
            }
        return takeConnection().hijacked(isRaw: isRaw)
    }
}

/// Takes the frames apart in which standard output and standard error share a connection.
///
/// A frame is a byte that names the stream, three zeros, the length in four bytes with the highest first, and the payload.
public struct StreamDemultiplexer: Sendable {
    /// Which stream a payload belongs to.
    public enum Stream: Sendable, Hashable {
        /// Standard output.
        case output
        /// Standard error.
        case errors
        /// Words of the daemon's own, about a failure in the middle of the stream.
        case daemon
    }

    private var header: [UInt8] = []
    private var left = 0
    private var stream = Stream.output

    /// A connection's beginning.
    public init() {}

    /// Whether the stream may end here: between two frames.
    public var isBetweenFrames: Bool { header.isEmpty && left == 0 }

    /// Takes bytes as they arrived and gives the payloads in them, in order, each as soon as a part of it is there.
    ///
    /// - Throws: ``ClientError/Code/malformed`` for a header that is none.
    public mutating func feed<Failure: Error>(
        _ bytes: ArraySlice<UInt8>, _ deliver: (Stream, ArraySlice<UInt8>) throws(Failure) -> Void, mistake: (ClientError) -> Failure
    ) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            if left > 0 {
                let part = rest.prefix(left)
                left -= part.count
                rest = rest.dropFirst(part.count)
                try deliver(stream, part)
                continue
            }
            let part = rest.prefix(8 - header.count)
            header += part
            rest = rest.dropFirst(part.count)
            guard header.count == 8 else { return }
            guard header[1] == 0, header[2] == 0, header[3] == 0, header[0] <= 3 else {
                throw mistake(
                    ClientError(
                        .malformed, "The stream from the daemon is not in frames: one begins with \(Array(header)). Is it a terminal's?"))
            }
            stream = header[0] == 2 ? .errors : header[0] == 3 ? .daemon : .output
            left = header[4...].reduce(0) { $0 << 8 | Int($1) }
            header.removeAll(keepingCapacity: true)
        }
    }
}
