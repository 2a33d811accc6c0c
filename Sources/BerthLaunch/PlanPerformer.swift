public import BerthLinux
internal import CBerth
internal import Glibc

/// A process that a plan has started.
public struct LaunchedProcess: ~Copyable {
    /// The process.
    public var process: ProcessHandle
    /// The terminal's master, where the plan made one.
    public var terminal: OwnedDescriptor?
    /// What the process reads, where it has an input.
    public var input: OwnedDescriptor?
    /// What it writes to standard output.
    public var output: OwnedDescriptor?
    /// What it writes to standard error.
    public var errors: OwnedDescriptor?
}

/// Performs plans. For a single-threaded process that is small: it is copied by each clone.
public enum PlanPerformer {
    /// Performs the preparation here and the steps in a child, and returns once the child executes its program.
    ///
    /// On failure nothing of the child is left; what the preparation made (cgroups) stays for the engine to remove.
    /// - Parameters:
    ///   - root: the detached mount that becomes the root.
    ///   - target: the process whose namespaces are entered.
    ///   - fileLimit: how many descriptors the child may have where the plan says nothing of it; `nil`: as many as this process.
    public static func perform(
        _ plan: borrowing EncodedPlan, root: borrowing OwnedDescriptor?, target: borrowing OwnedDescriptor?, fileLimit: UInt64? = nil
    ) throws(LaunchFailure) -> LaunchedProcess {
        var slots = berth_slots(
            root: -1, target: -1, standard: (-1, -1, -1), terminal: -1, channel: -1, root_directory: -1, namespace_root: -1,
            init: -1, empty: -1, mounts: -1, is_child: 0, step: 0, file_limit: fileLimit ?? 0)
        if root != nil { slots.root = root!.withRawDescriptor { $0 } }
        if target != nil { slots.target = target!.withRawDescriptor { $0 } }
        var failed: UInt32 = 0
        guard unsafe berth_perform(plan.preparation, plan.preparation.count, &slots, &failed) == 0 else {
            throw plan.failure(at: failed, errno: .current, inPreparation: true)
        }
        do {
            return try start(plan, &slots)
        } catch let error as LaunchFailure {
            throw error
        } catch {
            throw LaunchFailure(
                stage: .preparation, errnoValue: (error as? Errno)?.rawValue ?? 0, reason: "cannot start a process: \(error)")
        }
    }

    private static func start(_ plan: borrowing EncodedPlan, _ slots: inout berth_slots) throws -> LaunchedProcess {
        let channel = try SocketPair(.messages)
        slots.channel = channel.second.withRawDescriptor { $0 }
        let pipes = try Pipes(plan.streams)
        slots.standard = pipes.childEnds
        var cgroup: OwnedDescriptor?
        if let path = plan.cgroup { cgroup = try HostFile.open(path) }

        // A mount that is shared with the host's is one of the host's; the child has its own.
        let mounts = plan.needsMounts ? try HostFile.open("/proc/self/ns/mnt") : nil
        if mounts != nil { slots.mounts = mounts!.withRawDescriptor { $0 } }

        let process = try clone(plan, cgroup, &slots)
        var terminal: OwnedDescriptor?
        try channel.take { (reading, writing) throws in
            // Only the child holds the other end now: the end of the file means that the program runs.
            _ = consume writing
            let answers = MessageSocket(adopting: reading)
            while true {
                var answer = try answers.receive(waiting: true)
                if answer.bytes.count < 8 { return }
                switch Self.number(answer.bytes, at: 0) {
                case BERTH_CHILD_TERMINAL: terminal = answer.takeDescriptor()
                case BERTH_CHILD_HOOK:
                    do { try plan.runHook(at: Self.number(answer.bytes, at: 4), for: process.id) } catch {
                        try? process.signal(SIGKILL)  // it may have ended meanwhile
                        Self.reap(process)
                        throw error
                    }
                    // One that has ended meanwhile is told of by the next message, or by there being none.
                    try? answers.send([0])
                case let step:
                    Self.reap(process)
                    throw plan.failure(
                        at: step, errno: Errno(rawValue: Int32(bitPattern: Self.number(answer.bytes, at: 4))),
                        said: String(decoding: answer.bytes.dropFirst(8), as: UTF8.self), inPreparation: false)
                }
            }
        }
        return pipes.launched(process, terminal)
    }

    /// Waits for the end of a child that is about to come.
    private static func reap(_ process: borrowing ProcessHandle) {
        var status: CInt = 0
        unsafe waitpid(process.id, &status, 0)
    }

    private static func clone(_ plan: borrowing EncodedPlan, _ cgroup: borrowing OwnedDescriptor?, _ slots: inout berth_slots) throws(Errno)
        -> ProcessHandle
    {
        // A child is born into the process id namespace that its parent chose for its children; ours is put back after.
        let own = plan.entersProcesses ? try HostFile.open("/proc/self/ns/pid") : nil
        if plan.entersProcesses {
            guard berth_setns(slots.target, CInt(NamespaceKinds.pid.rawValue)) == 0 else { throw .current }
        }
        var pidfd: CInt = -1
        let cgroupNumber: CInt = if cgroup != nil { cgroup!.withRawDescriptor { $0 } } else { -1 }
        let child = unsafe berth_clone_and_perform(plan.namespaces.rawValue, cgroupNumber, plan.steps, plan.steps.count, &slots, &pidfd)
        let error = Errno.current
        if let own { _ = own.withRawDescriptor { berth_setns($0, CInt(NamespaceKinds.pid.rawValue)) } }
        guard child > 0 else { throw error }
        return ProcessHandle(id: child, descriptor: OwnedDescriptor(adopting: pidfd))
    }

    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
}

/// The pipes of one process: the child's ends live until it has been cloned.
private struct Pipes: ~Copyable {
    private var input: OwnedDescriptor?
    private var output: OwnedDescriptor?
    private var errors: OwnedDescriptor?
    private var childInput: OwnedDescriptor?
    private var childOutput: OwnedDescriptor?
    private var childErrors: OwnedDescriptor?

    init(_ streams: LaunchPlan.StandardStreams) throws(Errno) {
        switch streams {
        case .terminal: return
        case .pipes:
            let pipe = try Pipe()
            pipe.take { reading, writing in
                childInput = consume reading
                input = consume writing
            }
        case .pipesWithoutInput: childInput = try HostFile.open("/dev/null")
        }
        for isError in [false, true] {
            let pipe = try Pipe()
            // As much as the monitor reads at once: who writes much waits less often.
            pipe.extend(to: 256 << 10)
            pipe.take { reading, writing in
                if isError {
                    errors = consume reading; childErrors = consume writing
                } else {
                    output = consume reading; childOutput = consume writing
                }
            }
        }
    }

    var childEnds: (CInt, CInt, CInt) {
        func number(_ descriptor: borrowing OwnedDescriptor?) -> CInt {
            if descriptor != nil { descriptor!.withRawDescriptor { $0 } } else { -1 }
        }
        return (number(childInput), number(childOutput), number(childErrors))
    }

    consuming func launched(_ process: consuming ProcessHandle, _ terminal: consuming OwnedDescriptor?) -> LaunchedProcess {
        LaunchedProcess(process: process, terminal: terminal, input: input, output: output, errors: errors)
    }
}

extension LaunchedProcess {
    /// Gives the process away; streams that were not taken are closed.
    public consuming func takeProcess() -> ProcessHandle {
        process
    }
}
