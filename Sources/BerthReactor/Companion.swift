public import BerthLinux
internal import Synchronization

/// A thread that does one thing beside the one that has made it, which waits for what became of it: for work that keeps a processor busy, or that two
/// threads do together, inside a call that blocks anyway.
public final class Companion<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let ended: OwnedDescriptor

    /// Starts the thread.
    ///
    /// - Throws: `EAGAIN` where the process may have no more threads, `EMFILE` where it may open no more files: then `body` is not run.
    public init(_ body: @escaping @Sendable () -> Value) throws(Errno) {
        let pipe = try Pipe()
        let (reading, writing) = pipe.take { reading, writing in (End(reading), End(writing)) }
        guard let descriptor = reading.take() else { throw .EBADF }
        ended = descriptor
        try startThread { [self] in
            let result = body()
            value.withLock { $0 = result }
            // Whoever waits reads the end of the pipe.
            _ = writing.take()
        }
    }

    private final class End: Sendable {
        private let value: Mutex<OwnedDescriptor?>
        init(_ value: consuming OwnedDescriptor) { self.value = Mutex(consume value) }
        func take() -> OwnedDescriptor? { value.withLock { $0.take() } }
    }

    /// Waits until the thread has ended, and gives what it gave. Blocks. Asking again gives the same again.
    ///
    /// - Throws: `EIO` if that cannot be waited for, which no kernel does.
    public func join() throws(Errno) -> Value {
        var byte: [UInt8] = [0]
        _ = try ended.read(intoArray: &byte)
        guard let result = value.withLock({ $0 }) else { throw .EIO }
        return result
    }
}
