internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// Has the disk work while layers are unpacked, instead of when they have been: every so many bytes a thread syncs what there is so far, while the
/// unpacking goes on.
///
/// It promises nothing: all is synced once more before a layer has its name, and then there is little left to do.
final class EarlySync: Sendable {
    /// After how many bytes.
    static let byteCount: UInt64 = 32 << 20

    private struct State {
        var byteCount: UInt64 = 0
        var isRunning = false
    }
    private let state = Mutex(State())

    /// Counts what will have been written soon, and starts a sync where it is time for one.
    func count(_ byteCount: UInt64, in directory: borrowing Directory) {
        let isDue = state.withLock { state in
            state.byteCount += byteCount
            guard state.byteCount >= Self.byteCount, !state.isRunning else { return false }
            state = State(byteCount: 0, isRunning: true)
            return true
        }
        guard isDue else { return }
        do throws(Errno) {
            let directory = SharedDirectory(try directory.duplicate())
            try startThread {
                directory.value.beginWritebackOfFileSystem()
                self.state.withLock { $0.isRunning = false }
            }
        } catch {
            // No descriptor or no thread to be had: then it is all left to the end.
            state.withLock { $0.isRunning = false }
        }
    }

    private final class SharedDirectory: Sendable {
        let value: Directory
        init(_ value: consuming Directory) { self.value = value }
    }
}
