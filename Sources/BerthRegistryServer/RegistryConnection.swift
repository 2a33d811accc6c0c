internal import BerthLinux
internal import BerthReactor
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A client's connection, served by one task.
struct RegistryConnection: Sendable {
    typealias Stream = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    let stream: Stream
    let service: RegistryService
    /// Whether bytes go through TLS, so that the kernel cannot send a file by itself.
    let isEncrypted: Bool
    let lane: Lane

    private var channel: any Channel { stream.channel }

    /// Serves until the client has no more requests.
    ///
    /// - Parameter isBusy: told when a request has come, and when it is answered.
    func serve(isBusy: @Sendable (Bool) -> Void) async throws {
        try await stream.executeThenClose { inbound, _ in
            let body = RequestBody(inbound.makeAsyncIterator(), channel)
            while let head = try await body.nextHead() {
                isBusy(true)
                let response = await service.answer(head, body)
                try await write(response, to: head)
                guard head.isKeepAlive, try await body.skip() else { return }
                isBusy(false)
            }
        }
    }

    private func write(_ response: Response, to request: HTTPRequestHead) async throws {
        var headers = HTTPHeaders(response.headers.map { ($0.name, $0.value) })
        // These have no body by their nature, and no length of one.
        if response.status != 204, response.status != 304 { headers.add(name: "Content-Length", value: String(response.byteCount)) }
        if !request.isKeepAlive { headers.add(name: "Connection", value: "close") }
        channel.write(
            HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)),
            promise: nil)
        if request.method != .HEAD {
            switch response.body {
            case .none, .unsent: break
            case .bytes(let bytes):
                if !bytes.isEmpty { channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil) }
            case .blob(let blob, let range):
                if isEncrypted { try await read(blob, range) } else { try await send(blob, range) }
                service.metrics?.sent(range.count)
            }
        }
        try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    }

    // MARK: blobs

    /// So much is handed to the kernel at once, while the disk reads the next.
    private static let windowByteCount: UInt64 = 4 << 20
    /// So much is read and encrypted at once, while what was before it is sent.
    private static let pieceByteCount: UInt64 = 512 << 10

    /// Has the kernel send the file. A lane waits for the disk, so that the event loop does not.
    private func send(_ blob: OpenedBlob, _ range: Range<UInt64>) async throws {
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: try blob.file.duplicate().release())
        var sent: EventLoopFuture<Void>?
        do {
            for window in range.split(by: Self.windowByteCount) {
                try await prefetch(blob, window)
                let region = FileRegion(fileHandle: handle, readerIndex: Int(window.lowerBound), endIndex: Int(window.upperBound))
                let next: EventLoopFuture<Void> = channel.writeAndFlush(HTTPServerResponsePart.body(.fileRegion(region)))
                try await sent?.get()
                sent = next
            }
            try await sent?.get()
        } catch {
            // What is not sent yet never will be; only then may the file go.
            channel.close(promise: nil)
            _ = try? await channel.closeFuture.get()
            try handle.close()
            throw error
        }
        try handle.close()
    }

    private func prefetch(_ blob: OpenedBlob, _ window: Range<UInt64>) async throws(RegistryFailure) {
        try await lane.run { () throws(RegistryFailure) in
            // Hints: what cannot be read is told when it is sent.
            blob.file.withRawDescriptor { raw in
                var last: UInt8 = 0
                _ = posix_fadvise(raw, off_t(window.lowerBound), off_t(window.count), POSIX_FADV_WILLNEED)
                _ = unsafe pread(raw, &last, 1, off_t(window.upperBound - 1))
            }
        }
    }

    private func read(_ blob: OpenedBlob, _ range: Range<UInt64>) async throws {
        var sent: EventLoopFuture<Void>?
        for piece in range.split(by: Self.pieceByteCount) {
            let bytes = try await lane.run { [channel] () throws(RegistryFailure) in try Self.read(blob, piece, channel.allocator) }
            let next: EventLoopFuture<Void> = channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(bytes)))
            try await sent?.get()
            sent = next
        }
        try await sent?.get()
    }

    private static func read(_ blob: OpenedBlob, _ piece: Range<UInt64>, _ allocator: ByteBufferAllocator) throws(RegistryFailure)
        -> ByteBuffer
    {
        var buffer = allocator.buffer(capacity: piece.count)
        while buffer.readableBytes < piece.count {
            let offset = off_t(piece.lowerBound) + off_t(buffer.readableBytes)
            let count = unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: piece.count - buffer.readableBytes) { free in
                max(
                    0,
                    blob.file.withRawDescriptor { raw in
                        unsafe pread(raw, free.baseAddress, piece.count - (Int(offset) - Int(piece.lowerBound)), offset)
                    })
            }
            guard count > 0 else { throw RegistryFailure(500, .unknown, "a blob cannot be read to its end") }
        }
        return buffer
    }
}

extension Range<UInt64> {
    /// The same in parts of at most so many.
    fileprivate func split(by size: UInt64) -> [Range<UInt64>] {
        stride(from: lowerBound, to: upperBound, by: Int(size)).map { $0..<Swift.min($0 + size, upperBound) }
    }
}
