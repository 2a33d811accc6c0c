internal import BerthLinux
internal import Synchronization

/// Holds a socket until it is taken, once.
final class SocketHolder: Sendable {
    private let socket: Mutex<MessageSocket?>

    init(_ socket: consuming MessageSocket) { self.socket = Mutex(socket) }

    func take() -> MessageSocket {
        guard let taken = socket.withLock({ $0.take() }) else { preconditionFailure("a socket is taken once") }
        return taken
    }
}
