internal import Glibc

/// A program's end: what it said, and how long it took.
struct Outcome {
    var status: Int32
    var output: String
    var errors: String
    var seconds: Double
}

/// Something that cannot be measured, and why.
struct Trouble: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The monotonic clock.
enum Clock {
    static func seconds() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Starts back to back hide the kernel's grace periods: what a user does comes at any moment.
    static func space() { usleep(UInt32.random(in: 30_000...100_000)) }
}

/// Runs programs.
enum Command {
    /// Where the two output streams go.
    enum Sink { case kept, discarded }

    /// Runs a program to its end, standard input empty.
    static func run(_ words: [String], in place: Surroundings = Surroundings(), output: Sink = .kept, input: String? = nil) throws(Trouble)
        -> Outcome
    {
        // Files and not pipes: what a program leaves running would hold a pipe open.
        let (out, err) = (try scratchFile(), try scratchFile())
        defer {
            close(out)
            close(err)
        }
        let began = Clock.seconds()
        let child = try spawn(words, in: place, out: output == .kept ? out : -1, err: err, input: input)
        let status = wait(child)
        let seconds = Clock.seconds() - began
        return Outcome(status: status, output: contents(out), errors: contents(err), seconds: seconds)
    }

    /// Runs a program that must succeed.
    @discardableResult
    static func succeed(_ words: [String], in place: Surroundings = Surroundings(), output: Sink = .kept) throws(Trouble) -> Outcome {
        let outcome = try run(words, in: place, output: output)
        guard outcome.status == 0 else {
            throw Trouble("`\(words.joined(separator: " "))` ended with \(outcome.status): \(outcome.errors.suffix(600))")
        }
        return outcome
    }

    /// Starts a program; -1 for a stream is nowhere.
    static func spawn(
        _ words: [String], in place: Surroundings = Surroundings(), out: CInt = -1, err: CInt = -1, input: String? = nil
    ) throws(Trouble) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        for (stream, target) in [(CInt(1), out), (CInt(2), err)] {
            if target >= 0 {
                unsafe posix_spawn_file_actions_adddup2(&actions, target, stream)
            } else {
                unsafe posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0)
            }
        }
        var inherited: [String] = []
        for name in ["PATH", "HOME", "TERM", "LANG"] {
            if let value = unsafe getenv(name) { inherited.append("\(name)=\(unsafe String(cString: value))") }
        }
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        var variables = unsafe (inherited + place.environment).map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var child: pid_t = 0
        func start() -> CInt { unsafe posix_spawnp(&child, words[0], &actions, nil, &arguments, &variables) }
        let result = if let network = place.network { try network.inside(start) } else { start() }
        guard result == 0 else { throw Trouble("\(words[0]) cannot be started: \(unsafe String(cString: strerror(result)))") }
        return child
    }

    /// Waits for a child. Its exit code, or 128 and the signal's number.
    static func wait(_ child: pid_t) -> Int32 {
        var status: CInt = 0
        while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    static func scratchFile() throws(Trouble) -> CInt {
        var name = Array("/tmp/berth-benchmarks-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&name)
        guard file >= 0 else { throw Trouble("/tmp cannot be written: \(unsafe String(cString: strerror(errno)))") }
        unsafe unlink(&name)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        return file
    }

    static func contents(_ file: CInt) -> String {
        lseek(file, 0, SEEK_SET)
        return String(decoding: Files.read(descriptor: file, limit: 16 << 20), as: UTF8.self).trimmed
    }
}

extension String {
    /// Without white space at its ends.
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

/// Files of the kernel's and of ours.
enum Files {
    static func read(descriptor: CInt, limit: Int) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while result.count < limit {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            result += chunk[..<count]
        }
        return result
    }

    /// A file's text; `nil` where there is none, or it may not be read.
    static func text(_ path: String) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return String(decoding: read(descriptor: file, limit: 64 << 20), as: UTF8.self)
    }

    static func write(_ bytes: [UInt8], to path: String) throws(Trouble) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        guard file >= 0 else { throw Trouble("\(path) cannot be written: \(unsafe String(cString: strerror(errno)))") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Trouble("\(path) cannot be written: \(unsafe String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }

    /// How long a file is; `nil` where there is none.
    static func byteCount(_ path: String) -> Int64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Where a symbolic link points; `nil` where there is none.
    static func link(_ path: String) -> String? {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = unsafe target.withUnsafeMutableBytes {
            unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), 4096)
        }
        return count > 0 ? String(decoding: target[..<count], as: UTF8.self) : nil
    }

    /// The names in a directory; empty where there is none.
    static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var result: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result
    }

    /// How many directories lie below one.
    static func directoryCount(below path: String) -> Int {
        guard let directory = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while let entry = unsafe readdir(directory) {
            guard unsafe entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { count += 1 + directoryCount(below: "\(path)/\(name)") }
        }
        return count
    }

    /// A program on PATH; `nil` where there is none.
    static func program(_ name: String) -> String? {
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
        let folders: [String] = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
        for folder in folders where unsafe access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        return nil
    }
}
