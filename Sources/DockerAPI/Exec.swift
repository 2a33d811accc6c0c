/// A request to prepare a further process in a container (`POST /containers/{id}/exec`).
public struct ExecCreateRequest: Sendable, Hashable {
    /// `user`, `user:group`; empty is the container's.
    public var user = ""
    /// Whether it has all power.
    public var privileged = false
    /// Whether it has a terminal.
    public var terminal = false
    /// Whether its client gives standard input.
    public var attachesStandardInput = false
    /// Whether its client reads standard output.
    public var attachesStandardOutput = false
    /// Whether its client reads standard error.
    public var attachesStandardError = false
    /// The keys with which its client leaves.
    public var detachKeys = ""
    /// `NAME=value`.
    public var environment: [String] = []
    /// The directory in which it starts; empty is the container's.
    public var workingDirectory = ""
    /// The command and its arguments.
    public var command: [String] = []
    /// The terminal's rows and columns at the start.
    public var consoleSize: [Int64] = []

    /// Parses a request's body.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public init(parsing body: [UInt8]) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        user = try fields.string("User")
        privileged = try fields.bool("Privileged")
        terminal = try fields.bool("Tty")
        attachesStandardInput = try fields.bool("AttachStdin")
        attachesStandardOutput = try fields.bool("AttachStdout")
        attachesStandardError = try fields.bool("AttachStderr")
        detachKeys = try fields.string("DetachKeys")
        environment = try fields.strings("Env") ?? []
        workingDirectory = try fields.string("WorkingDir")
        command = try fields.commandWords("Cmd") ?? []
        consoleSize = try fields.integers("ConsoleSize") ?? []
        // Older clients repeat here what the start says, and which container.
        for name in ["Detach", "Container"] { _ = fields.value(name) }
        try fields.refuseUnread()
    }
}

/// A request to start it (`POST /exec/{id}/start`).
public struct ExecStartRequest: Sendable, Hashable {
    /// Whether its client does not wait for it.
    public var detach = false
    /// Whether its client takes what comes as a terminal's: then it comes as it is, else in frames. Whether there is a terminal, the preparation says.
    public var terminal = false
    /// The terminal's rows and columns at the start.
    public var consoleSize: [Int64] = []

    /// Parses a request's body; none says nothing.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public init(parsing body: [UInt8]) throws(RequestError) {
        guard !body.isEmpty else { return }
        var fields = try RequestFields.parse(body)
        detach = try fields.bool("Detach")
        terminal = try fields.bool("Tty")
        consoleSize = try fields.integers("ConsoleSize") ?? []
        // The stock client sends the whole preparation again.
        for name in [
            "User", "Privileged", "AttachStdin", "AttachStdout", "AttachStderr", "DetachKeys", "Env", "WorkingDir", "Cmd", "Container",
        ] {
            _ = fields.value(name)
        }
        try fields.refuseUnread()
    }
}

/// All that is known of a further process (`GET /exec/{id}/json`).
public struct ExecInspect: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id = ""
    /// Its container's id.
    public var containerID = ""
    /// Whether it runs.
    public var isRunning = false
    /// How it ended; `nil` before.
    public var exitCode: Int32?
    /// Its process's id; 0 without one.
    public var processID: Int32 = 0
    /// The program.
    public var program = ""
    /// Its arguments.
    public var arguments: [String] = []
    /// Whether it has a terminal.
    public var terminal = false
    /// Whether it has all power.
    public var privileged = false
    /// As whom it runs.
    public var user = ""
    /// Whether standard input is attached.
    public var opensStandardInput = false
    /// Whether standard output is.
    public var opensStandardOutput = false
    /// Whether standard error is.
    public var opensStandardError = false

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("ID", id)
            writer.member("Running", isRunning)
            if let exitCode { writer.member("ExitCode", exitCode) } else { writer.nullMember("ExitCode") }
            writer.member("ProcessConfig") { writer in
                writer.member("tty", terminal)
                writer.member("entrypoint", program)
                writer.member("arguments", arguments)
                writer.member("privileged", privileged)
                if !user.isEmpty { writer.member("user", user) }
            }
            writer.member("OpenStdin", opensStandardInput)
            writer.member("OpenStderr", opensStandardError)
            writer.member("OpenStdout", opensStandardOutput)
            writer.member("CanRemove", !isRunning && exitCode != nil)
            writer.member("ContainerID", containerID)
            writer.member("DetachKeys", "")
            writer.member("Pid", processID)
        }
    }
}

/// An answer that is an id.
public struct IDResponse: JSONWritable, Hashable {
    /// The id.
    public var id: String

    /// An answer of this.
    public init(id: String) { self.id = id }

    /// Writes it.
    public func write(to writer: inout JSONWriter) { writer.object { $0.member("Id", id) } }
}

/// An answer that says why not.
public struct ErrorResponse: JSONWritable, Hashable {
    /// The words.
    public var message: String

    /// An answer of these.
    public init(message: String) { self.message = message }

    /// Writes it.
    public func write(to writer: inout JSONWriter) { writer.object { $0.member("message", message) } }
}
