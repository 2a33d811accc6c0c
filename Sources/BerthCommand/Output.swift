internal import Glibc

/// The program's standard streams.
enum Output {
    /// Writes a line to standard output.
    static func line(_ text: String) throws(Failure) { try write(Array((text + "\n").utf8)[...], to: 1) }

    /// Writes to standard output.
    static func text(_ text: String) throws(Failure) { try write(Array(text.utf8)[...], to: 1) }

    /// Writes a line to standard error. Where that is closed, there is nobody to tell.
    static func complain(_ text: String) { try? write(Array((text + "\n").utf8)[...], to: 2) }

    /// Writes all of some bytes to one of the standard streams, waiting where it is full.
    static func write(_ bytes: ArraySlice<UInt8>, to stream: CInt) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(stream, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var state = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&state, 1, -1)
            } else if errno != EINTR {
                throw Failure(
                    "\(stream == 2 ? "standard error" : "standard output") cannot be written: \(unsafe String(cString: strerror(errno)))")
            }
        }
    }
}

/// What the program was started in.
enum Surroundings {
    /// A variable of the environment; `nil` where it is not set or empty.
    static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Sets a variable for the rest of this run, and for what it starts.
    static func setVariable(_ name: String, to value: String) { _ = unsafe setenv(name, value, 1) }

    /// Whether a variable is set, and to what: for `-e NAME`.
    static func exactVariable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// A path made absolute.
    static func absolute(_ path: String) throws(Failure) -> String {
        if path.hasPrefix("/") { return path }
        guard let here = unsafe getcwd(nil, 0) else {
            throw Failure("the current directory cannot be told: \(unsafe String(cString: strerror(errno)))")
        }
        defer { unsafe free(here) }
        var parts = unsafe String(cString: here).split(separator: "/")
        for part in path.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }
}
