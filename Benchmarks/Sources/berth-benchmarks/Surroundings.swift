internal import Glibc

/// Where a program runs, beside what is the same for all.
struct Surroundings {
    /// Variables, as `NAME=value`.
    var environment: [String] = []
    /// `nil` for this program's own.
    var network: Network?
}

/// A network namespace with a name: each engine has one, where no other's firewall drops its packets.
struct Network {
    let name: String
    let descriptor: CInt
    /// What tells a process of it from others: see ``Host/processes(in:)``.
    let link: String

    init(_ name: String) throws(Trouble) {
        self.name = "berth-bench-\(getpid())-\(name)"
        try Command.succeed(["ip", "netns", "add", self.name])
        try Command.succeed(["ip", "-n", self.name, "link", "set", "lo", "up"])
        descriptor = unsafe open("/run/netns/\(self.name)", O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else {
            throw Trouble("the network namespace \(self.name) is not there: \(unsafe String(cString: strerror(errno)))")
        }
        link = "net:[\(status.st_ino)]"
    }

    /// What cannot be removed goes with the namespaces of the run.
    func remove() {
        close(descriptor)
        _ = try? Command.run(["ip", "netns", "del", name])
    }

    /// Has this process start a program there, and comes back.
    func inside<T>(_ body: () throws(Trouble) -> T) throws(Trouble) -> T {
        let own = unsafe open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
        defer { close(own) }
        guard own >= 0, try Self.enter(descriptor) == 0 else {
            throw Trouble("\(name) cannot be entered: \(unsafe String(cString: strerror(errno)))")
        }
        let result = Result { () throws(Trouble) in try body() }
        guard try Self.enter(own) == 0 else { throw Trouble("there is no way back from \(name)") }
        return try result.get()
    }

    /// `setns(2)`, which Glibc's headers have only for programs in GNU's dialect of C.
    private static func enter(_ descriptor: CInt) throws(Trouble) -> CInt {
        typealias Function = @convention(c) (CInt, CInt) -> CInt
        guard let symbol = unsafe dlsym(nil, "setns") else { throw Trouble("this C library has no setns") }
        return unsafe unsafeBitCast(symbol, to: Function.self)(descriptor, 0x4000_0000)  // CLONE_NEWNET
    }
}
