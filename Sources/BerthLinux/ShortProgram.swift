internal import CBerth
internal import Glibc

/// A program that is run to its end, for what it writes.
public enum ShortProgram {
    /// How it ended.
    public struct Result: Sendable {
        /// The exit code; 128 and the signal's number where a signal ended it.
        public let code: Int32
        /// The signal that ended it, or 0.
        public let signal: Int32
        /// What it wrote to its standard output.
        public let output: [UInt8]
    }

    /// Runs a program and waits for it, in the caller's session and working directory, its standard error being the caller's.
    ///
    /// It has no descriptors but its standard streams. The calling thread waits.
    /// - Parameters:
    ///   - path: the program's file.
    ///   - arguments: with the name that it is called by as the first.
    ///   - environment: all of it, `NAME=value`.
    ///   - input: what it reads from its standard input; kept in memory alone.
    ///   - outputLimit: the most bytes that it may write. `EFBIG` for more, and then it is killed.
    ///   - milliseconds: how long it may take. `ETIMEDOUT` for more, and then it is killed.
    /// - Throws: what the kernel says where it cannot be started.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String], input: [UInt8], outputLimit: Int, milliseconds: Int64
    ) throws(Errno) -> Result {
        let pipe = try Pipe()
        return try pipe.take { (reading, writing) throws(Errno) in
            let id = try start(path, arguments, environment, input, writing, takesErrors: false)
            // Its end is read when nobody has it open any more.
            _ = consume writing
            let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
            return try reaping(id) { () throws(Errno) in
                let output = try read(reading, limit: outputLimit, deadline)
                return try end(of: id, deadline, output)
            }
        }
    }

    /// Runs a program as ``run(_:_:environment:input:outputLimit:milliseconds:)`` does, its standard error being part of what is told. All that it writes is kept
    /// until it has ended, in memory that is the kernel's; nobody waits for what it leaves running.
    ///
    /// - Parameter excerptByteCount: how much of the beginning is told.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String], input: [UInt8], excerptByteCount: Int, milliseconds: Int64
    ) throws(Errno) -> Result {
        let written = try HostFile.inMemory(named: "output", [])
        let id = try start(path, arguments, environment, input, written, takesErrors: true)
        return try reaping(id) { () throws(Errno) in
            let ended = try end(of: id, monotonicNanoseconds() + milliseconds * 1_000_000, [])
            var excerpt = [UInt8](repeating: 0, count: excerptByteCount)
            let count = try written.withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe pread(raw, &excerpt, excerptByteCount, 0) }
            }
            return Result(code: ended.code, signal: ended.signal, output: Array(excerpt.prefix(count)))
        }
    }

    /// Until it is reaped, the number is that of no other process.
    private static func reaping(_ id: pid_t, _ body: () throws(Errno) -> Result) throws(Errno) -> Result {
        do throws(Errno) { return try body() } catch {
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
            throw error
        }
    }

    private static func start(
        _ path: String, _ arguments: [String], _ environment: [String], _ input: [UInt8], _ output: borrowing OwnedDescriptor,
        takesErrors: Bool
    ) throws(Errno) -> pid_t {
        let stdin = try HostFile.inMemory(named: "input", input)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, stdin.withRawDescriptor { $0 }, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.withRawDescriptor { $0 }, 1)
        if takesErrors { unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2) }
        // Other libraries' descriptors are not all close-on-exec.
        unsafe berth_spawn_close_from(&actions, 3)
        // It has the dispositions and the mask of signals that programs expect, whatever the caller has.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var id: pid_t = 0
        let code = unsafe posix_spawn(&id, path, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw Errno(rawValue: code) }
        return id
    }

    private static func read(_ pipe: borrowing OwnedDescriptor, limit: Int, _ deadline: Int64) throws(Errno) -> [UInt8] {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            try wait(for: pipe, deadline)
            let count = try pipe.read(intoArray: &buffer)
            if count == 0 { return output }
            guard output.count + count <= limit else { throw .EFBIG }
            output += buffer[..<count]
        }
    }

    private static func end(of id: pid_t, _ deadline: Int64, _ output: [UInt8]) throws(Errno) -> Result {
        let handle = OwnedDescriptor(adopting: try check { berth_pidfd_open(id) })
        try wait(for: handle, deadline)
        var status: CInt = 0
        _ = try check { unsafe waitpid(id, &status, 0) }
        let signal = status & 0x7f
        return Result(code: signal == 0 ? (status >> 8) & 0xff : 128 + signal, signal: signal, output: output)
    }

    private static func wait(for descriptor: borrowing OwnedDescriptor, _ deadline: Int64) throws(Errno) {
        let left = (deadline - monotonicNanoseconds()) / 1_000_000
        guard left > 0 else { throw .ETIMEDOUT }
        var polled = pollfd(fd: descriptor.withRawDescriptor { $0 }, events: Int16(POLLIN), revents: 0)
        guard try check({ unsafe poll(&polled, 1, CInt(min(left, Int64(CInt.max)))) }) > 0 else { throw .ETIMEDOUT }
    }
}
