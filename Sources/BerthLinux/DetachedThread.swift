internal import CBerth
internal import Glibc

/// Starts a detached thread with a small stack of its own, for work that may block and has an end.
///
/// - Throws: `EAGAIN` where the process may have no more.
public func startThread(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    unsafe pthread_attr_setstacksize(&attributes, 512 << 10)
    let box = unsafe Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let error = unsafe pthread_create(
        &thread, &attributes,
        { argument in
            unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard error == 0 else {
        unsafe box.release()
        throw Errno(rawValue: error)
    }
}
