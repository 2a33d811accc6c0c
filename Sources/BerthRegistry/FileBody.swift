internal import AsyncHTTPClient
internal import BerthContent
internal import BerthLinux
internal import BerthReactor
internal import NIOCore
internal import Synchronization

/// A file whose bytes are sent, as often as is needed.
final class FileBody: Sendable {
    private let file: OwnedDescriptor
    private let lane: Lane
    let byteCount: UInt64
    private let progress: @Sendable (UInt64) -> Void
    /// So many bytes are read at once.
    private static let readByteCount = 256 << 10

    init(_ file: consuming OwnedDescriptor, _ lane: Lane, _ progress: @escaping @Sendable (UInt64) -> Void) throws(TransferError) {
        do throws(Errno) {
            let status = try file.status()
            guard status.kind == .regular else { throw .EINVAL }
            byteCount = UInt64(max(0, status.byteCount))
        } catch { throw Self.unreadable(error) }
        self.file = file
        (self.lane, self.progress) = (lane, progress)
    }

    /// A part of the file as a request's body. A file that has become shorter ends it with an error.
    func part(_ range: Range<UInt64>) -> HTTPClientRequest.Body {
        .stream(Pieces(file: self, range: range), length: .known(Int64(range.upperBound - range.lowerBound)))
    }

    func tell(_ byteCount: UInt64) { progress(byteCount) }

    private static func unreadable(_ error: Errno) -> TransferError {
        TransferError(error == .EINVAL ? .invalid : .storage, "cannot read the blob that is to be uploaded: \(error)", underlying: error)
    }

    private struct Pieces: AsyncSequence, Sendable {
        let file: FileBody
        let range: Range<UInt64>
        func makeAsyncIterator() -> Iterator { Iterator(file: file, position: range.lowerBound, end: range.upperBound) }

        struct Iterator: AsyncIteratorProtocol {
            let file: FileBody
            var position: UInt64
            let end: UInt64
            /// This reader's own opening: an earlier try may still be reading.
            var opening: Opening?

            mutating func next() async throws -> ByteBuffer? {
                guard position < end else { return nil }
                let (position, file, known) = (position, file, opening)
                let count = Int(Swift.min(UInt64(FileBody.readByteCount), end - position))
                let (opening, bytes) = try await file.lane.run { () throws(TransferError) in
                    do throws(Errno) {
                        let opening = if let known { known } else { try Opening(file.file, at: position) }
                        return (opening, try opening.read(count))
                    } catch { throw FileBody.unreadable(error) }
                }
                guard !bytes.isEmpty else {
                    throw TransferError(.storage, "the blob that is to be uploaded has become shorter while it was read")
                }
                self.opening = opening
                self.position += UInt64(bytes.count)
                file.tell(self.position)
                return ByteBuffer(bytes: bytes)
            }
        }
    }

    private final class Opening: Sendable {
        private let file: OwnedDescriptor

        init(_ file: borrowing OwnedDescriptor, at offset: UInt64) throws(Errno) {
            self.file = try HostFile.open("/proc/self/fd/\(file.withRawDescriptor { $0 })")
            try self.file.seek(to: Int64(offset))
        }

        func read(_ count: Int) throws(Errno) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            let read = try file.read(intoArray: &bytes)
            bytes.removeSubrange(read...)
            return bytes
        }
    }
}
