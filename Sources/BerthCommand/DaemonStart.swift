internal import BerthClient
internal import BerthLinux
internal import Glibc

/// The address that is used when none is named.
enum DefaultAddress {
    static let text = DaemonAddress.standard.description
}

/// Starts berthd where it is missing: only as root, only if no other daemon was named, only if its socket does not exist.
enum DaemonStart {
    /// How long a daemon may take to answer.
    private static let limitMilliseconds = 10_000

    static func ifNeeded(socket: String) throws(Failure) {
        guard geteuid() == 0, !HostFile.exists(socket) else { return }
        let program = try find()
        Output.complain("berth: no daemon runs; starting \(program)")
        let log = "/run/berthd-start.log"
        let child = try spawn(program, log: log)
        var waited = 0
        while waited < limitMilliseconds {
            // An error is an answer that is not there yet.
            if HostFile.exists(socket), (try? answers(socket)) == true { return }
            var status: CInt = 0
            if unsafe waitpid(child, &status, WNOHANG) == child {
                throw Failure("\(program) ended before it answered\(words(of: log))", status: 125)
            }
            usleep(2_000)
            waited += 2
        }
        throw Failure("\(program) does not answer at \(socket) after \(limitMilliseconds / 1000) seconds\(words(of: log))", status: 125)
    }

    private static func answers(_ socket: String) throws(ClientError) -> Bool {
        _ = try Daemon(at: .unix(path: socket), userAgent: "Berth-Client").version()
        return true
    }

    private static func words(of log: String) -> String {
        // Without its words, only the fact can be told.
        guard let bytes = try? HostFile.read(log, limit: 1 << 20), !bytes.isEmpty else { return "; it said nothing." }
        return ":\n" + String(decoding: bytes.suffix(2000), as: UTF8.self)
    }

    private static func find() throws(Failure) -> String {
        if let program = DaemonProgram.path { return program }
        throw Failure(
            """
            No daemon runs at \(DefaultAddress.text), and berthd, which could be started, is neither beside this program nor on PATH.
            Start berthd as root, or name another daemon with -H or DOCKER_HOST.
            """, status: 125)
    }

    /// In a session of its own, without our terminal: it stays when we end.
    private static func spawn(_ program: String, log: String) throws(Failure) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
        unsafe posix_spawnattr_setflags(&attributes, 0x80)  // POSIX_SPAWN_SETSID
        var child: pid_t = 0
        let name = unsafe strdup(program)
        defer { unsafe free(name) }
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [name, nil]
        let result = unsafe posix_spawn(&child, program, &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw Failure("\(program) cannot be started: \(Errno(rawValue: result))", status: 125) }
        return child
    }
}

/// berthd, which does what this program hands over.
enum DaemonProgram {
    /// Beside this program, else on `PATH`; `nil` where it is neither.
    static var path: String? {
        var path = [UInt8](repeating: 0, count: 4096)
        let count = unsafe path.withUnsafeMutableBytes {
            unsafe readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), 4095)
        }
        var folders: [String] = []
        if count > 0 {
            let own = String(decoding: path[..<count], as: UTF8.self)
            folders.append(String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]))
        }
        folders += (Surroundings.variable("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":").map(String.init)
        return folders.first { unsafe access("\($0)/berthd", X_OK) == 0 }.map { "\($0)/berthd" }
    }

    /// Becomes berthd, with these words behind its name: returns only by an error.
    static func become(_ words: [String]) throws(Failure) -> Never {
        guard let path else {
            throw Failure("berthd, which does this, is neither beside this program nor on PATH: install it there.", status: 125)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe (["berthd"] + words).map { unsafe strdup($0) } + [nil]
        unsafe execv(path, &arguments)
        let error = Errno(rawValue: errno)
        unsafe arguments.forEach { unsafe free($0) }
        throw Failure("\(path) cannot be started: \(error)", status: 126)
    }
}
