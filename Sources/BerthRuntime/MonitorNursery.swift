internal import BerthLaunch
internal import BerthLinux
internal import BerthReactor
internal import CBerth
internal import Glibc
internal import Synchronization

/// Where a runtime's monitors come from: a process of the monitor's program that has no container, and of which each monitor is forked.
///
/// To execute a program costs more than all that a monitor does before it clones: the first one is executed, when the first container is started, and the
/// others are copies of it, which share its memory and are in its control groups from birth. It ends when the runtime lets go of it, however that comes
/// about; the monitors live on. Where it was killed, or does not answer, the next start makes another.
final class MonitorNursery: Sendable {
    /// The process, and the connection that it lives by.
    private final class Parent: Sendable {
        let socket: MessageSocket
        let process: ChildProcess

        init(_ socket: consuming MessageSocket, _ process: ChildProcess) {
            self.socket = socket
            self.process = process
        }
    }

    private let location: MonitorLocation
    private let cgroupFiles: [String]
    private let reactor: Reactor
    private let parent = Mutex<Parent?>(nil)
    private let patience: Duration

    /// Starts nothing yet.
    ///
    /// - Parameters:
    ///   - cgroupFiles: files that take `0` to put a process into the monitors' group.
    ///   - patience: how long the process, or a new monitor, may take to answer.
    init(_ location: MonitorLocation, cgroupFiles: [String], patience: Duration, reactor: Reactor) {
        (self.location, self.cgroupFiles, self.patience, self.reactor) = (location, cgroupFiles, patience, reactor)
    }

    /// A new monitor that has said hello: the engine's end of its first connection. Blocks.
    ///
    /// - Throws: `monitor` where there is no program for it, or it is none; `system` where the kernel lets nothing be started.
    func bear() throws(RuntimeError) -> MessageSocket {
        let first = try current()
        do throws(RuntimeError) { return try fork(of: first) } catch {
            guard error.code == .monitor else { throw error }
            // It has been killed, or stopped: what it does not answer, the next one does.
            parent.withLock { if $0 === first { $0 = nil } }
            first.process.kill()
            return try fork(of: try current())
        }
    }

    /// Ends the process, and waits until it has gone. Monitors live on.
    func close() async {
        let process = parent.withLock { parent in
            defer { parent = nil }
            return parent?.process
        }
        await process?.reaped()
    }

    private func current() throws(RuntimeError) -> Parent {
        try parent.withLock { (parent) throws(RuntimeError) in
            if let parent { return parent }
            let begun = try begin()
            parent = begun
            return begun
        }
    }

    private func begin() throws(RuntimeError) -> Parent {
        let program = try location.resolve()
        let begun: Parent
        do throws(Errno) {
            let pair = try SocketPair(.messages)
            begun = try pair.take { (ours, theirs) throws(Errno) in
                Parent(
                    MessageSocket(adopting: ours),
                    ChildProcess(try ProcessHandle.spawn(program.program, program.arguments, theirs), reactor))
            }
        } catch {
            throw .system("cannot start the monitor '\(program.program)'", error)
        }
        try hear(begun.socket)
        do throws(Errno) {
            try begun.socket.send(MonitorRequest.becomeNursery(cgroupFiles: cgroupFiles).encoded(number: 1))
        } catch {
            throw RuntimeError(.monitor, "the monitor cannot be spoken to: \(error)", underlying: error)
        }
        _ = try begun.socket.answer(to: 1)
        return begun
    }

    private func fork(of parent: Parent) throws(RuntimeError) -> MessageSocket {
        let socket: MessageSocket
        do throws(Errno) {
            let pair = try SocketPair(.messages)
            socket = try pair.take { (ours, theirs) throws(Errno) in
                try parent.socket.send(MonitorRequest.fork.encoded(number: 2), theirs)
                return MessageSocket(adopting: ours)
            }
        } catch {
            throw RuntimeError(.monitor, "a monitor cannot be asked for: \(error)", underlying: error)
        }
        try hear(socket)
        return socket
    }

    /// Nothing is entrusted to a program that cannot say hello.
    private func hear(_ socket: borrowing MessageSocket) throws(RuntimeError) {
        let (seconds, attoseconds) = patience.components
        let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        guard (try? socket.descriptor.waitReadable(milliseconds: milliseconds)) ?? false, try socket.answer(to: 0).answer == .done else {
            throw RuntimeError(.monitor, "the monitor did not say hello")
        }
    }
}

/// A process that this one has started, which is reaped when it ends.
private final class ChildProcess: Sendable {
    private final class Held: Sendable {
        let process: ProcessHandle
        init(_ process: consuming ProcessHandle) { self.process = process }
    }
    private let held: Held
    private let reaping: Task<Void, Never>

    init(_ process: consuming ProcessHandle, _ reactor: Reactor) {
        let held = Held(process)
        self.held = held
        reaping = Task.detached {
            while true {
                do throws(ReactorError) {
                    try await reactor.waitExit(of: held.process)
                    return held.process.reap()
                } catch {
                    // If the reactor ends first, this process does too, and the other gets another parent. For want of a descriptor it is tried again.
                    guard error.code == .system else { return }
                    do throws(ReactorError) { try await reactor.sleep(for: .seconds(1)) } catch { return }
                }
            }
        }
    }

    func kill() {
        try? held.process.signal(SIGKILL)  // it may have ended by itself
    }

    func reaped() async { await reaping.value }
}

extension MessageSocket {
    /// Waits for a monitor's answer to the request of this number. Blocks.
    ///
    /// - Throws: what the monitor says of a failure; `monitor` where it says nothing, or something else.
    borrowing func answer(to number: UInt64) throws(RuntimeError) -> MonitorConnection.Received {
        do {
            let message = try receive(waiting: true)
            guard !message.bytes.isEmpty else { throw RuntimeError(.monitor, "the monitor ended before it could be used") }
            let (found, answer) = try MonitorAnswer.decode(message.bytes)
            guard found == number else { throw RuntimeError(.monitor, "the monitor answered out of turn") }
            if case .failed(let stage, let errno, let reason) = answer { throw MonitorConnection.error(stage, errno, reason) }
            return MonitorConnection.Received(answer, message)
        } catch let error as RuntimeError {
            throw error
        } catch {
            throw RuntimeError(.monitor, "the monitor cannot be spoken to: \(error)", underlying: error as? Errno)
        }
    }
}
