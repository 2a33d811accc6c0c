internal import AsyncHTTPClient
internal import BerthContent
internal import BerthOCI
internal import BerthReactor
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// A blob on its way: where it has come to, and who takes it.
final class BlobTaker: Sendable {
    typealias Sink = @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    private struct State {
        var position: UInt64
        /// What `sink` threw.
        var refusal: TransferError?
    }
    private let state: Mutex<State>
    private let sink: Sink
    private let lane: Lane
    let blob: Descriptor

    init(_ blob: Descriptor, from offset: UInt64, _ lane: Lane, _ sink: @escaping Sink) {
        (self.blob, self.lane, self.sink) = (blob, lane, sink)
        state = Mutex(State(position: offset))
    }

    /// How many bytes have been taken.
    var position: UInt64 { state.withLock { $0.position } }
    var isWhole: Bool { position == blob.byteCount }
    var refusal: TransferError? { state.withLock { $0.refusal } }

    /// Hands the next bytes on, on a thread that may block.
    func take(_ buffers: [ByteBuffer]) async throws(TransferError) {
        try await lane.run { [self] () throws(TransferError) in
            for buffer in buffers {
                do throws(TransferError) {
                    try unsafe buffer.withVeryUnsafeBytes(of: buffer.readerIndex, buffer.readableBytes) { (bytes) throws(TransferError) in
                        try unsafe sink(RawSpan(_unsafeBytes: bytes))
                    }
                } catch {
                    state.withLock { $0.refusal = error }
                    throw error
                }
                state.withLock { $0.position += UInt64(buffer.readableBytes) }
            }
        }
    }
}

extension ByteBuffer {
    /// Lends readable bytes with a typed error, which the library's own calls do not have.
    fileprivate func withVeryUnsafeBytes<Failure: Error>(
        of offset: Int, _ count: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let result: Result<Void, Failure> = unsafe withUnsafeReadableBytes { bytes in
            do throws(Failure) { return .success(try unsafe body(bytes)) } catch { return .failure(error) }
        }
        try result.get()
    }
}

extension Conversation {
    /// So many bytes are handed on at once.
    private static let handedByteCount = 512 << 10

    /// Brings what is missing of a blob, going on where a connection broke.
    func download(_ taker: BlobTaker, _ name: String) async throws(TransferError) {
        if let least = core.configuration.parallelRangesAboveByteCount, taker.blob.byteCount - taker.position >= least {
            try await downloadInRanges(taker, name)
        }
        var failedCount = 0
        // A try that brings less than this has brought nothing: else a registry could let us ask for every byte.
        let leastByteCount = max(1, min(64 << 10, taker.blob.byteCount / 32))
        var hasBegun = false
        while !taker.isWhole {
            let before = taker.position
            do throws(Refusal) { try await part(taker, name) } catch {
                // Of a sink's error, the source knows nothing.
                if let refusal = taker.refusal { throw refusal }
                if taker.position - before >= leastByteCount { (failedCount, hasBegun) = (0, true) }
                failedCount += 1
                try await pause(after: error, failedCount: failedCount, hasBegun: hasBegun)
            }
        }
    }

    /// One request, from where the taker is.
    private func part(_ taker: BlobTaker, _ name: String) async throws(Refusal) {
        let (blob, begin) = (taker.blob, taker.position)
        let ask = Ask(
            method: .GET, target: .repository("blobs/\(blob.digest)"), headers: begin > 0 ? [("Range", "bytes=\(begin)-")] : [],
            scopes: [.repository(endpoint.repositoryPath, ["pull"])], what: "cannot read blob \(blob.digest) of '\(name)'",
            accepted: [200, 206])
        let response = try await once(ask)
        let call = Call(method: .GET, url: try url(of: ask.target))
        // A registry that does not know ranges sends everything: what is there already is passed over.
        var skippedCount = begin
        if response.status.code == 206 {
            let range = ContentRange(parsing: response.headers.first(name: "Content-Range") ?? "")
            guard let range, range.first == begin else {
                throw Refusal(
                    TransferError(
                        .badAnswer, "the registry \(endpoint.registry) sends another part of blob \(blob.digest) than was asked for",
                        request: call.shown, digest: blob.digest))
            }
            if let total = range.total, total != blob.byteCount { throw sizeMismatch(blob, "\(total)", call) }
            skippedCount = 0
        } else if let text = response.headers.first(name: "Content-Length"), let total = UInt64(text), total != blob.byteCount {
            throw sizeMismatch(blob, text, call)
        }
        var pending: [ByteBuffer] = []
        var pendingByteCount = 0
        do {
            for try await var buffer in response.body {
                if skippedCount > 0 {
                    let count = min(skippedCount, UInt64(buffer.readableBytes))
                    buffer.moveReaderIndex(forwardBy: Int(count))
                    skippedCount -= count
                }
                guard taker.position + UInt64(pendingByteCount + buffer.readableBytes) <= blob.byteCount else {
                    throw sizeMismatch(blob, "more", call)
                }
                guard buffer.readableBytes > 0 else { continue }
                pendingByteCount += buffer.readableBytes
                pending.append(buffer)
                if pendingByteCount >= Self.handedByteCount {
                    try await taker.take(pending)
                    (pending, pendingByteCount) = ([], 0)
                }
            }
            try await taker.take(pending)
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as TransferError {
            throw Refusal(error)
        } catch {
            // What came before it broke counts.
            do throws(TransferError) { try await taker.take(pending) } catch { throw Refusal(error) }
            throw refusal(Transport.failure(error, endpoint.host), call)
        }
        guard taker.isWhole else {
            let failure = TransportFailure(kind: .interrupted, description: "the answer ended before the blob did", errno: nil)
            throw refusal(failure, call)
        }
    }

    private func sizeMismatch(_ blob: Descriptor, _ found: String, _ call: Call) -> Refusal {
        Refusal(
            TransferError(
                .sizeMismatch, "blob \(blob.digest) has \(blob.byteCount) bytes, and the registry \(endpoint.registry) sends \(found)",
                request: call.shown,
                digest: blob.digest))
    }
}

/// What a `Content-Range` says (RFC 9110, 14.4).
struct ContentRange: Hashable, Sendable {
    let first: UInt64
    let last: UInt64
    let total: UInt64?

    /// `nil` for what is no range of bytes.
    init?(parsing text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let halves = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        let ends = halves.first?.split(separator: "-", omittingEmptySubsequences: false) ?? []
        guard halves.count == 2, ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last else { return nil }
        total = halves[1] == "*" ? nil : UInt64(halves[1])
        guard total != nil || halves[1] == "*" else { return nil }
        (self.first, self.last) = (first, last)
    }
}
