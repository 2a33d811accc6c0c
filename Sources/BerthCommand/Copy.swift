internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthTar
internal import DockerAPI
internal import Glibc

/// `berth cp`.
struct Copy: Verb {
    static let configuration = CommandConfiguration(
        commandName: "cp", abstract: "Copy files/folders between a container and the local filesystem", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tberth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH"
    static let wordCount = WordCount.exactly(2)

    @Flag(name: [.short, .long], help: "Archive mode (copy all uid/gid information)") var archive = false
    @Flag(name: [.customShort("L"), .long], help: "Always follow symbol link in SRC_PATH") var followLink = false
    @Flag(
        name: [.short, .long],
        help: "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached")
    var quiet = false
    @Argument var source: String
    @Argument var destination: String

    func perform(_ session: Session) throws -> Int32 {
        guard !source.isEmpty else { throw Failure("source can not be empty") }
        guard !destination.isEmpty else { throw Failure("destination can not be empty") }
        let (from, to) = (CopyPlan.parts(of: source), CopyPlan.parts(of: destination))
        switch (from.container.isEmpty, to.container.isEmpty) {
        case (false, true): try copyOut(from.container, from.path, to: to.path, try session.daemon())
        case (true, false): try copyIn(from.path, to: to.container, to.path, try session.daemon())
        case (false, false): throw Failure("copying between containers is not supported")
        case (true, true): throw Failure("must specify at least one container source")
        }
        return 0
    }

    private static func archivePath(_ container: String) -> String { "/containers/\(Daemon.escaped(container))/archive" }

    private func done(_ byteCount: UInt64, _ place: String) {
        guard !quiet, Terminal.isTerminal(2) else { return }
        try? Meter.clear()  // a terminal that has gone is no reason to fail
        Output.complain("Successfully copied \(HumanText.size(byteCount, digits: 3)) to \(place)")
    }

    /// What the daemon says of a path; `nil` if it does not say.
    private static func status(_ container: String, _ path: String, _ daemon: Daemon) -> PathStat? {
        // What is wrong shows when the files are asked for, or given.
        guard let answer = try? daemon.open("HEAD", archivePath(container), query: [("path", path)]) else { return nil }
        let status = answer.head[PathStat.headerName.lowercased()].flatMap { PathStat(header: $0) }
        daemon.keep(answer)
        return status
    }

    /// Where a link leads that lies at a path.
    private static func target(_ link: String, at path: String) -> String {
        link.hasPrefix("/") ? link : GoPath.join(GoPath.split(path).directory, link)
    }

    // MARK: Out

    private func copyOut(_ container: String, _ path: String, to destination: String, _ daemon: Daemon) throws {
        let isStream = destination == "-"
        let place = isStream ? "" : try LocalFiles.absolute(destination)
        if isStream {
            guard !Terminal.isTerminal(1) else { throw Failure("cowardly refusing to write a tar archive to a terminal. Redirect it") }
        } else {
            try LocalFiles.requireOutput(place)
        }
        var (path, entryName) = (path, "")
        if followLink, let status = Self.status(container, path, daemon), status.mode.isSymbolicLink {
            (path, entryName) = CopySource.renamed(asked: path, found: Self.target(status.linkTarget, at: path))
        }
        var answer = try daemon.open("GET", Self.archivePath(container), query: [("path", path)])
        if isStream {
            while let bytes = try answer.read() { try Output.write(bytes[...], to: 1) }
            return
        }
        guard let status = answer.head[PathStat.headerName.lowercased()].flatMap({ PathStat(header: $0) }) else {
            throw Failure("the daemon's answer does not say what it is that is copied: its header \(PathStat.headerName) is missing")
        }
        let source = CopySource(path: path, isDirectory: status.mode.isDirectory, entryName: entryName)
        let plan = try CopyPlan(source, to: try LocalFiles.destination(place))
        let bytes = AnswerSource(answer)
        var rules = CopyRules()
        rules.owner = archive && geteuid() == 0 ? .asWritten : .creator
        rules.displayName = plan.directory
        let (own, name) = (GoPath.split(path).base, entryName)
        if !name.isEmpty || plan.newBase != nil { rules.rename = { CopyPlan.renamed($0, from: own, to: plan.newBase ?? name) } }
        do {
            let directory = try Directory.open(plan.directory)
            let reader = TarReader(bytes)
            try TreeExtractor(copyingInto: directory, rules).extractAll(reader)
            try reader.drain()
        } catch let error as Errno {
            throw Failure("open \(plan.directory): \(error)")
        } catch {
            throw bytes.failure ?? error
        }
        done(bytes.byteCount, place)
    }

    // MARK: In

    private func copyIn(_ source: String, to container: String, _ path: String, _ daemon: Daemon) throws {
        let place = source == "-" ? "" : try LocalFiles.absolute(source)
        var destination = CopyDestination(path: path)
        var status = Self.status(container, path, daemon)
        if let found = status, found.mode.isSymbolicLink {
            destination.path = Self.target(found.linkTarget, at: path)
            status = Self.status(container, destination.path, daemon)
        }
        if let status {
            guard !status.mode.isDevice else {
                throw Failure("destination \"\(container):\(path)\" must be a directory or a regular file: got a device")
            }
            (destination.exists, destination.isDirectory) = (true, status.mode.isDirectory)
        }
        func query(_ directory: String) -> [(String, String)] {
            [("noOverwriteDirNonDir", "true"), ("path", directory)] + (archive ? [("copyUIDGID", "true")] : [])
        }
        func put(_ directory: String, _ body: Daemon.Body) throws {
            try daemon.call("PUT", Self.archivePath(container), query: query(directory), body: body)
        }
        guard source != "-" else {
            guard destination.isDirectory else {
                // Whether there is such a container is the better thing to say.
                _ = try daemon.call("GET", "/containers/\(Daemon.escaped(container))/json")
                throw Failure("destination \"\(container):\(path)\" must be a directory")
            }
            let file: OwnedDescriptor
            do throws(Errno) { file = try HostFile.open("/proc/self/fd/0") } catch {
                throw Failure("standard input cannot be read: \(error)")
            }
            return try put(destination.path, .archive(Daemon.OwnedStream(file)))
        }
        let found = try LocalFiles.source(place, followsLink: followLink)
        let plan = try CopyPlan(found, to: destination)
        var failure: (any Error)?
        var byteCount: UInt64 = 0
        do {
            try put(
                plan.directory,
                .made { (body) throws(ClientError) in
                    do { try LocalFiles.pack(found, as: plan.newBase ?? found.base, into: body) } catch {
                        failure = error
                        throw ClientError(.local, "\(error)")
                    }
                    byteCount = body.byteCount
                })
        } catch let error as ClientError where error.code == .local {
            throw failure ?? error
        }
        done(byteCount, "\(container):\(destination.path)")
    }
}

/// An answer's body as the source of an archive.
private final class AnswerSource: ByteSource {
    private var answer: ResponseBody
    private var rest: ArraySlice<UInt8> = []
    /// How many bytes have come.
    private(set) var byteCount: UInt64 = 0
    /// Why no more came.
    private(set) var failure: ClientError?

    init(_ answer: consuming ResponseBody) { self.answer = answer }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if rest.isEmpty {
            do throws(ClientError) {
                guard let bytes = try answer.read() else { return 0 }
                rest = bytes[...]
            } catch {
                failure = error
                throw ByteSourceError(.storage, error.description, underlying: error.underlying)
            }
        }
        let count = min(rest.count, buffer.count)
        unsafe rest.withUnsafeBytes { unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        rest = rest.dropFirst(count)
        byteCount += UInt64(count)
        return count
    }
}

/// A request's body as the sink of an archive.
private final class BodyArchive: ByteSink {
    private let body: BodySink
    init(_ body: BodySink) { self.body = body }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        do throws(ClientError) { try body.write(bytes) } catch {
            throw ByteSinkError(.storage, error.description, underlying: error.underlying)
        }
    }
}

/// This machine's side of a copy: paths that whoever typed the command may use.
private enum LocalFiles {
    /// A path from the root, with the end that it had.
    static func absolute(_ path: String) throws -> String {
        if path.hasPrefix("/") { return GoPath.keepingEnd(GoPath.clean(path), of: path) }
        guard let current = unsafe getcwd(nil, 0) else { throw Failure("getwd: \(Errno.current)") }
        defer { unsafe free(current) }
        return GoPath.keepingEnd(GoPath.join(unsafe String(cString: current), path), of: path)
    }

    private static func status(_ path: String, follows: Bool) throws(Errno) -> stat {
        var status = stat()
        guard unsafe follows ? stat(path, &status) == 0 : lstat(path, &status) == 0 else { throw .current }
        return status
    }

    private static func kind(_ status: stat) -> mode_t { status.st_mode & S_IFMT }

    /// Docker's checks of where something may be written.
    static func requireOutput(_ path: String) throws {
        let parent = GoPath.directory(GoPath.clean(path))
        if case .failure(.ENOENT) = Result(catching: { () throws(Errno) in try status(parent, follows: true) }) {
            throw Failure("invalid output path: directory \"\(parent)\" does not exist")
        }
        // What is not there yet is fine.
        guard let found = try? status(path, follows: true) else { return }
        if kind(found) == S_IFCHR || kind(found) == S_IFBLK {
            throw Failure("invalid output path: \"\(path)\" must be a directory or a regular file: got a device")
        }
    }

    /// What is known of where something is to be written: a link is followed, also one that leads to nothing.
    static func destination(_ path: String) throws -> CopyDestination {
        var place = path
        for _ in 0...10 {
            let found: stat
            do throws(Errno) { found = try status(place, follows: false) } catch {
                guard error == .ENOENT else { throw Failure("lstat \(place): \(error)") }
                let parent = GoPath.split(place).directory
                let above: stat
                do throws(Errno) { above = try status(parent, follows: true) } catch { throw Failure("stat \(parent): \(error)") }
                guard kind(above) == S_IFDIR else { throw Failure("not a directory") }
                return CopyDestination(path: place)
            }
            guard kind(found) == S_IFLNK else {
                return CopyDestination(path: place, exists: true, isDirectory: kind(found) == S_IFDIR)
            }
            let target: PathBytes
            do throws(Errno) { target = try HostPlace(place).link() } catch { throw Failure("readlink \(place): \(error)") }
            let text = target.description
            place = text.hasPrefix("/") ? text : GoPath.join(GoPath.split(place).directory, text)
        }
        throw Failure("too many symlinks in \(path)")
    }

    /// What is known of what is to be copied.
    static func source(_ path: String, followsLink: Bool) throws -> CopySource {
        var (place, entryName) = (path, "")
        if followsLink {
            (place, entryName) = CopySource.renamed(asked: path, found: try resolved(path))
        } else {
            // Links on the way are followed, and the last name is what it is.
            let slash = path.lastIndex(of: "/") ?? path.startIndex
            let parent = try resolved(String(path[...slash]))
            place = (parent == "/" ? "" : parent) + "/" + path[path.index(after: slash)...]
            if GoPath.endsWithSlash(path), GoPath.base(path) != GoPath.base(place) { entryName = GoPath.base(path) }
        }
        do throws(Errno) {
            return CopySource(path: place, isDirectory: kind(try status(place, follows: false)) == S_IFDIR, entryName: entryName)
        } catch { throw Failure("lstat \(place): \(error)") }
    }

    private static func resolved(_ path: String) throws -> String {
        do throws(Errno) { return try HostFile.resolved(path) } catch { throw Failure("lstat \(GoPath.clean(path)): \(error)") }
    }

    /// Packs it, its first entry being called so.
    static func pack(_ source: CopySource, as base: String, into body: BodySink) throws {
        let (directory, name) = GoPath.split(source.path)
        let writer = TarWriter(BodyArchive(body))
        let (base, isContents) = (Array(base.utf8), name == "." || name == "/")
        let own = isContents ? TreePacker.rootName : Array(name.utf8)
        let prefix = base.last == UInt8(ascii: "/") ? base : base + [UInt8(ascii: "/")]
        let packer = TreePacker(into: writer) { (entry) throws(TarError) in
            if !isContents {
                entry.name = base + entry.name.dropFirst(own.count)
            } else {
                entry.name = entry.name == own ? prefix : prefix + entry.name
            }
            return .pack
        }
        do {
            let parent = try Directory.open(isContents ? source.path : directory)
            if isContents { try packer.pack(parent) } else { try packer.pack(try PathBytes(name), in: parent) }
        } catch let error as Errno { throw Failure("open \(source.path): \(error)") }
        try writer.finish()
    }
}

extension HostPlace {
    /// The target of the link that it is.
    fileprivate borrowing func link() throws(Errno) -> PathBytes { try directory.readLink(name) }
}
