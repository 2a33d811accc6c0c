internal import CBerth
internal import Glibc

/// A program that is run to its end, for what it writes.
public enum ShortProgram {
    /// How it ended.
    public struct Result: Sendable {
        /// The exit code; 128 and the signal's number where a signal ended it.
        public let code: Int32
        /// What it wrote to its standard output.
        public let output: [UInt8]
    }

    /// Runs a program and waits for it, in the caller's session and working directory, its standard error being the caller's.
    ///
    /// It has no descriptors but its standard streams: every other of this package's is close-on-exec. The calling thread waits.
    /// - Parameters:
    ///   - path: the program's file.
    ///   - arguments: with the name that it is called by as the first.
    ///   - environment: all of it.
    ///   - input: what it reads from its standard input; kept in memory alone.
    ///   - outputLimit: the most bytes that it may write. `EFBIG` for more, and then it is killed.
    ///   - milliseconds: how long it may take. `ETIMEDOUT` for more, and then it is killed.
    /// - Throws: what the kernel says where it cannot be started.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String], input: [UInt8], outputLimit: Int, milliseconds: Int64
    ) throws(Errno) -> Result {
        let stdin = try HostFile.inMemory(named: "input", input)
        let pipe = try Pipe()
        return try pipe.take { (reading, writing) throws(Errno) in
            let id = try start(path, arguments, environment, stdin, consume writing)
            // Until it is reaped, the number is that of no other process.
            let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
            do throws(Errno) {
                let output = try read(reading, limit: outputLimit, deadline)
                return Result(code: try end(of: id, deadline), output: output)
            } catch {
                kill(id, SIGKILL)
                waitpid(id, nil, 0)
                throw error
            }
        }
    }

    private static func start(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ stdin: borrowing OwnedDescriptor,
        _ stdout: consuming OwnedDescriptor
    ) throws(Errno) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, stdin.withRawDescriptor { $0 }, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, stdout.withRawDescriptor { $0 }, 1)
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var id: pid_t = 0
        let code = unsafe posix_spawn(&id, path, &actions, nil, &argv, &envp)
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

    private static func end(of id: pid_t, _ deadline: Int64) throws(Errno) -> Int32 {
        let handle = OwnedDescriptor(adopting: try check { berth_pidfd_open(id) })
        try wait(for: handle, deadline)
        var status: CInt = 0
        _ = try check { unsafe waitpid(id, &status, 0) }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    private static func wait(for descriptor: borrowing OwnedDescriptor, _ deadline: Int64) throws(Errno) {
        let left = (deadline - monotonicNanoseconds()) / 1_000_000
        guard left > 0 else { throw .ETIMEDOUT }
        var polled = pollfd(fd: descriptor.withRawDescriptor { $0 }, events: Int16(POLLIN), revents: 0)
        guard try check({ unsafe poll(&polled, 1, CInt(min(left, Int64(CInt.max)))) }) > 0 else { throw .ETIMEDOUT }
    }
}
