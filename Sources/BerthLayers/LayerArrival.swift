public import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthTar
internal import Synchronization

/// A layer that comes in: its bytes are kept while they come, and are read, behind the one who brings them, by the one who unpacks it.
///
/// Nothing is held in memory: what the reader has not come to yet is in the file. Nobody sees any of it; dropped, nothing is left.
public final class LayerArrival: Sendable {
    private enum End {
        case whole(PendingBlob)
        case abandoned
    }
    private struct State {
        var byteCount: UInt64 = 0
        var end: End?
    }
    private let ingest: Mutex<Ingest?>
    private let state = Condition(State())
    /// What its blob is named by.
    let algorithm: Digest.Algorithm

    init(_ ingest: consuming Ingest, _ algorithm: Digest.Algorithm) {
        let byteCount = ingest.byteCount
        self.ingest = Mutex(consume ingest)
        self.algorithm = algorithm
        state.withLock { $0.byteCount = byteCount }
    }

    /// How many bytes are there: the next to be written is the one behind them.
    public var byteCount: UInt64 { state.withLock { $0.byteCount } }

    /// Adds bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(LayerError) {
        do throws(ContentError) {
            let count = try ingest.withLock { (ingest) throws(ContentError) -> UInt64? in
                try unsafe ingest?.write(RawSpan(_unsafeBytes: bytes))
                return ingest?.byteCount
            }
            guard let count else { throw ContentError(.storage, "the layer has ended already") }
            state.withLock { $0.byteCount = count }
        } catch {
            abandon()
            throw LayerError(error)
        }
    }

    /// Says that this was all.
    public func end() throws(LayerError) -> PendingBlob {
        guard let blob = ingest.withLock({ $0.take()?.seal() }) else { throw LayerError(.storage, "the layer has ended already") }
        state.withLock { $0.end = .whole(blob) }
        return blob
    }

    /// Says that no more will come: whoever unpacks it fails. Once it has ended, this does nothing.
    public func abandon() {
        ingest.withLock { $0 = nil }
        state.withLock { state in
            if state.end == nil { state.end = .abandoned }
        }
    }

    /// What came, if it is whole.
    public var whole: PendingBlob? {
        state.withLock { state in
            if case .whole(let blob) = state.end { blob } else { nil }
        }
    }

    /// What came, once it is whole.
    func blob() throws(LayerError) -> PendingBlob {
        switch state.wait(for: { $0.end }) {
        case .whole(let blob): return blob
        case .abandoned: throw LayerError(.cancelled, "the layer did not come whole")
        }
    }

    /// - Returns: `false` at the end, `nil` where there is none: nothing more comes, or `isInterrupted`.
    fileprivate func waitForBytes(beyond position: UInt64, unless isInterrupted: borrowing Atomic<Bool>) -> Bool? {
        state.wait { state in
            if isInterrupted.load(ordering: .relaxed) { return .some(nil) }
            if state.byteCount > position { return .some(true) }
            switch state.end {
            case .whole: return .some(false)
            case .abandoned: return .some(nil)
            case nil: return nil
            }
        }
    }

    /// Makes whoever waits look again.
    fileprivate func wake() { state.withLock { _ in } }

    fileprivate func open() throws(LayerError) -> OwnedDescriptor {
        do throws(ContentError) {
            let file = try ingest.withLock { (ingest) throws(ContentError) -> OwnedDescriptor? in try ingest?.openForReading() }
            if let file { return file }
        } catch { throw LayerError(error) }
        let blob = try blob()
        do throws(ContentError) { return try blob.open() } catch { throw LayerError(error) }
    }
}

/// Reads behind an arrival, and waits where nothing has come yet.
final class FollowingSource: ByteSource {
    private let arrival: LayerArrival
    private let file: OwnedDescriptor
    private let isWanted: () -> Bool
    private let progress: (UInt64) -> Void
    private var position: UInt64 = 0
    private let isInterrupted = Atomic(false)

    init(_ arrival: LayerArrival, _ progress: @escaping (UInt64) -> Void, while isWanted: @escaping () -> Bool) throws(LayerError) {
        self.arrival = arrival
        self.progress = progress
        self.isWanted = isWanted
        file = try arrival.open()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        guard isWanted(), let more = arrival.waitForBytes(beyond: position, unless: isInterrupted) else {
            throw ByteSourceError(.cancelled, "the layer did not come whole")
        }
        guard more else { return 0 }
        do throws(Errno) {
            let count = try unsafe file.read(into: buffer)
            position += UInt64(count)
            progress(position)
            return count
        } catch { throw ByteSourceError(.storage, "cannot read the layer that comes: \(error)", underlying: error) }
    }

    func interrupt() {
        isInterrupted.store(true, ordering: .relaxed)
        arrival.wake()
    }
}
