internal import Glibc

/// What the engines are given: a small image, a large one, a bundle, and a file of lines.
struct Material {
    let folder: String
    var smallTar: String { "\(folder)/small.tar" }
    var largeTar: String { "\(folder)/large.tar" }
    var bundle: String { "\(folder)/bundle" }

    /// The file of lines: 100 bytes each.
    static let lineCount = 1_000_000
    static let lineByteCount = lineCount * 100
    static let lastLine = line(lineCount - 1)

    private static func line(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 9 - digits.count) + digits + " " + String(repeating: "abcdefghi ", count: 8) + "abcdefghi"
    }

    init(in folder: String, for works: [Work]) throws(Trouble) {
        self.folder = folder
        guard let busybox = Files.program("busybox") else { throw Trouble("busybox is not installed: it is what runs in the containers") }
        for part in [
            "", "/bundle", "/bundle/rootfs", "/bundle/rootfs/bin", "/bundle/rootfs/tmp", "/bundle/rootfs/proc", "/bundle/rootfs/dev",
            "/lines",
        ] {
            guard unsafe mkdir(folder + part, 0o755) == 0 || errno == EEXIST else { throw Trouble("\(folder)\(part) cannot be made") }
        }
        try Command.succeed(["cp", busybox, "\(bundle)/rootfs/bin/busybox"])
        for name in ["sh", "true", "sleep", "cat"] { unsafe symlink("busybox", "\(bundle)/rootfs/bin/\(name)") }
        try Command.succeed(["tar", "-C", "\(bundle)/rootfs", "--numeric-owner", "-cf", smallTar, "."])
        try Files.write(Array(Self.configuration.utf8), to: "\(bundle)/config.json")
        if works.contains(.log) { try makeLines() }
        if works.contains(.import) { try makeLarge() }
    }

    private func makeLines() throws(Trouble) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.lineByteCount)
        for number in 0..<Self.lineCount { bytes += Self.line(number).utf8 + [10] }
        try Files.write(bytes, to: "\(folder)/lines/lines")
    }

    /// Files of 1 to 200 kB, half of them of bytes that do not repeat.
    private func makeLarge() throws(Trouble) {
        let root = "\(folder)/large"
        var state: UInt64 = 42
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        unsafe mkdir(root, 0o755)
        for directory in 0..<50 {
            let path = "\(root)/d\(directory)"
            unsafe mkdir(path, 0o755)
            for file in 0..<100 {
                let count = file % 10 == 0 ? 110_000 + Int(random() % 80_000) : 500 + Int(random() % 10_000)
                let bytes = (0..<count).map { file % 2 == 0 ? UInt8(truncatingIfNeeded: random()) : UInt8(truncatingIfNeeded: $0 & 63) }
                try Files.write(bytes, to: "\(path)/f\(file)")
            }
        }
        try Command.succeed(["tar", "-C", root, "--numeric-owner", "-cf", largeTar, "."])
        try Command.succeed(["rm", "-rf", root])
    }

    /// As small as a container can be that still is one: the namespaces, `/proc` and nothing else.
    private static let configuration = """
        {"ociVersion": "1.0.2", "process": {"cwd": "/", "args": ["/bin/true"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true},
         "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
         "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}],
                   "resources": {"memory": {"limit": 67108864}, "pids": {"limit": 50}}}}
        """
}
