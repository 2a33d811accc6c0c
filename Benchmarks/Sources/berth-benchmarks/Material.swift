internal import Glibc

/// What the engines are given: a small image, a large one, a bundle, and a file of lines.
struct Material {
    let folder: String
    var smallTar: String { "\(folder)/small.tar" }
    var bundle: String { "\(folder)/bundle" }

    /// The file of lines: 100 bytes each.
    static let lineCount = 1_000_000
    static let lineByteCount = lineCount * 100
    static let lastLine = line(lineCount - 1)

    private static func line(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 9 - digits.count) + digits + " " + String(repeating: "abcdefghi ", count: 8) + "abcdefghi"
    }

    /// Where a work needs it.
    let bigImage: BigImage?
    /// Where a work needs them.
    let registries: Registries?
    /// Where a work needs them.
    let copies: Copies?

    init(in folder: String, registries registryFolder: String, _ options: Options) throws(Trouble) {
        self.folder = folder
        let works = options.works
        bigImage = works.contains(where: Work.ofBigImage.contains) ? try BigImage(in: options.image, script: options.script) : nil
        registries = works.contains(where: Work.ofRegistry.contains) ? Registries(folder: registryFolder, bin: options.bin) : nil
        copies = works.contains(.copy) ? Copies(folder: "\(folder)/copies") : nil
        guard let busybox = Files.program("busybox") else { throw Trouble("busybox is not installed: it is what runs in the containers") }
        for part in [
            "", "/bundle", "/bundle/rootfs", "/bundle/rootfs/bin", "/bundle/rootfs/tmp", "/bundle/rootfs/proc", "/bundle/rootfs/dev",
            "/lines",
        ] {
            guard unsafe mkdir(folder + part, 0o755) == 0 || errno == EEXIST else { throw Trouble("\(folder)\(part) cannot be made") }
        }
        try Command.succeed(["cp", busybox, "\(bundle)/rootfs/bin/busybox"])
        for name in ["sh", "true", "sleep", "cat", "rm"] { unsafe symlink("busybox", "\(bundle)/rootfs/bin/\(name)") }
        try Command.succeed(["tar", "-C", "\(bundle)/rootfs", "--numeric-owner", "-cf", smallTar, "."])
        try Files.write(Array(Self.configuration.utf8), to: "\(bundle)/config.json")
        try copies?.make()
        if works.contains(.log) { try makeLines() }
    }

    private func makeLines() throws(Trouble) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.lineByteCount)
        for number in 0..<Self.lineCount { bytes += Self.line(number).utf8 + [10] }
        try Files.write(bytes, to: "\(folder)/lines/lines")
    }

    /// As small as a container can be that still is one: the namespaces, `/proc` and nothing else.
    private static let configuration = """
        {"ociVersion": "1.0.2", "process": {"cwd": "/", "args": ["/bin/true"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true},
         "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
         "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}],
                   "resources": {"memory": {"limit": 67108864}, "pids": {"limit": 50}}}}
        """
}
