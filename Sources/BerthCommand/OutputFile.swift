internal import BerthLinux
internal import Glibc

/// A file that a command writes: seen under its name once it is whole, and not at all if it does not become so.
final class OutputFile {
    private let path: String
    private let directory: Directory
    private let name: PathBytes
    private let temporary: PathBytes
    private let file: OwnedDescriptor
    private var isFinished = false

    /// Begins a file. What already has its name stays until it is whole.
    init(_ path: String) throws(Failure) {
        self.path = path
        let cut = path.lastIndex(of: "/")
        let parent = cut.map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
        do throws(Errno) {
            name = try PathBytes(String(cut.map { path[path.index(after: $0)...] } ?? path[...]))
            temporary = try PathBytes(".\(name)-\(getpid()).part")
            directory = try Directory.open(parent)
            if try directory.contains(name), try directory.status(name).kind == .directory { throw .EISDIR }
            file = try directory.createFile(temporary, permissions: 0o600)
        } catch { throw Failure("failed to save: cannot write '\(path)': \(error)") }
    }

    deinit {
        if !isFinished { try? directory.removeFile(temporary) }  // nobody looks for it
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        do throws(Errno) { try unsafe file.writeAll(bytes.span.bytes) } catch { throw Failure("cannot write '\(path)': \(error)") }
    }

    /// Gives it its name.
    func finish() throws(Failure) {
        do throws(Errno) { try directory.rename(temporary, to: name) } catch { throw Failure("cannot write '\(path)': \(error)") }
        isFinished = true
    }
}
