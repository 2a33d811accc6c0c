internal import BerthLinux
public import BerthOCI
internal import BerthReactor
internal import Synchronization

/// What of a log is wanted.
public struct LogOptions: Sendable, Hashable {
    /// Whether to go on with what comes, until the container's process ends. Default `false`.
    public var follows = false
    /// Only so many of the last lines. Default `nil`: all.
    public var tail: Int?
    /// Only lines from then on.
    public var since: Timestamp?
    /// Only lines before then. With ``follows``, nothing is waited for beyond it.
    public var until: Timestamp?
    /// Whether standard output is wanted.
    public var output = true
    /// Whether standard error is wanted.
    public var errors = true

    /// Everything that there is.
    public init() {}
    /// Everything, and perhaps what comes.
    public init(following: Bool) { follows = following }
}

/// The lines of a container's log, as they are read.
///
/// A sequence for one reader: the file is read as fast as it asks. Lines that are damaged are left out.
public final class LogStream: AsyncSequence, Sendable {
    /// A line.
    public typealias Element = LogLine

    private struct State {
        /// What is still to be read, the oldest first; the first is being read.
        var parts: [LogPart] = []
        /// What is in the first of them, once something of it was read.
        var content: FileHolder?
        var isOpen = false
        var changes: FileHolder?
        /// Where the next whole line begins.
        var position: Int64 = 0
        /// Where reading ends that does not follow: what is written faster than it is read would never end.
        var end = Int64.max
        var isDone = false
    }
    private let store: ContainerStore
    private let object: ContainerObject
    private let options: LogOptions
    private let state = Mutex(State())

    /// The most that is read at once. A line that is longer is none of ours, and is left out.
    private static var pieceByteCount: Int { 256 << 10 }

    init(_ store: ContainerStore, _ object: ContainerObject, _ options: LogOptions) throws(ContainerError) {
        guard object.document.configuration.keepsLogFile else {
            throw ContainerError(
                .unsupported, "configured logging driver does not support reading: the container was made with --log-driver none")
        }
        (self.store, self.object, self.options) = (store, object, options)
    }

    /// The next lines: as many as one read has given; never an empty list. `nil` at the end.
    ///
    /// - Throws: `cancelled`, `storage`.
    public func nextBatch() async throws(ContainerError) -> [LogLine]? {
        while true {
            // Asked before the file is read: what is written until then is in it.
            let isRunning = object.state.withLock { $0.lifecycle.isRunning || $0.lifecycle.phase == .starting }
            let (lines, isAtEnd) = try await object.lane.run { () throws(ContainerError) in try self.read() }
            if !lines.isEmpty { return lines }
            if state.withLock({ $0.isDone }) { return nil }
            guard isAtEnd else { continue }
            guard options.follows, isRunning, options.until.map({ $0 > .now }) ?? true else { return nil }
            try await waitForMore()
        }
    }

    /// Reads a piece of the log: whole lines. What is not a whole line yet may still be taken back, as when the disk is full, and is read again.
    private func read() throws(ContainerError) -> (lines: [LogLine], isAtEnd: Bool) {
        do throws(Errno) {
            guard try open() else { return ([], true) }
            let (part, isLast) = state.withLock { ($0.parts.first, $0.parts.count == 1) }
            guard let part else { return ([], true) }
            // Asked before it is read: a file that is no longer the log's own is not written any more.
            let newer = isLast && options.follows ? try younger(than: part) : []
            if let lines = try readPiece(of: part, isLast: isLast) { return (lines, false) }
            guard !isLast || !newer.isEmpty else { return ([], true) }
            state.withLock { state in
                state.parts.removeFirst()
                state.parts += newer
                (state.content, state.position) = (nil, 0)
            }
            return ([], false)
        } catch {
            // It has gone with the container.
            if error == .ENOENT, object.state.withLock({ $0.isForgotten }) { return ([], true) }
            throw .storage("cannot read the log of container \(object.shortID)", error)
        }
    }

    /// - Returns: `nil` where there is no more whole line.
    private func readPiece(of part: LogPart, isLast: Bool) throws(Errno) -> [LogLine]? {
        let position = state.withLock { $0.position }
        let end = isLast ? state.withLock { $0.end } : .max
        guard position < end else { return nil }
        let known = state.withLock { $0.content }
        let content = if let known { known } else { try self.content(of: part) }
        state.withLock { $0.content = content }
        var buffer = [UInt8](repeating: 0, count: Self.pieceByteCount)
        try content.value.seek(to: position)
        var count = try content.value.read(intoArray: &buffer)
        count = Int(Swift.min(Int64(count), end - position))
        let isFull = count == buffer.count
        guard let last = buffer[..<count].lastIndex(of: 10) else {
            guard isFull else { return nil }
            state.withLock { $0.position = position + Int64(count) }
            return []
        }
        state.withLock { $0.position = position + Int64(last) + 1 }
        return select(buffer[...last])
    }

    /// Unpacked beside all containers: this one's own directory may be gone before its reader.
    private func content(of part: LogPart) throws(Errno) -> FileHolder {
        try part.content(unpackingIn: try Directory.open("\(store.services.root)/containers"))
    }

    private var name: String { "\(object.id)-json.log" }
    private var directory: String { "\(store.services.root)/containers/\(object.id)" }

    /// The files that have been begun after this one. If it is gone, all that there are: they came later.
    private func younger(than part: LogPart) throws(Errno) -> [LogPart] {
        let directory: Directory
        do { directory = try Directory.open(self.directory) } catch {
            // Of a container that has been removed, what is open is read to its end.
            if error == .ENOENT { return [] }
            throw error
        }
        // Mostly it is still the one that is written.
        guard let status = try directory.statusIfThere(try PathBytes(name)), status.inode != part.inode || status.device != part.device
        else {
            return []
        }
        return try LogParts.open(try PathBytes(name), in: directory, after: part)
    }

    private func select(_ bytes: ArraySlice<UInt8>) -> [LogLine] {
        var lines: [LogLine] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: 10) {
            defer { start = end + 1 }
            guard let line = LogLineParser.parse(bytes[start..<end]) else { continue }
            if let until = options.until, line.time > until {
                state.withLock { $0.isDone = true }
                break
            }
            if let since = options.since, line.time < since { continue }
            if line.stream == .output ? options.output : options.errors { lines.append(line) }
        }
        return lines
    }

    /// Opens the log when there is one: a container that has never run has none yet.
    private func open() throws(Errno) -> Bool {
        if state.withLock({ $0.isOpen }) { return true }
        var parts = try LogParts.open(try PathBytes(name), in: try Directory.open(directory))
        guard let last = parts.last else { return false }
        var position: Int64 = 0
        if var wanted = options.tail {
            var first = parts.count - 1
            while true {
                let part = parts[first]
                let content = try content(of: part)
                let byteCount = part.isCompressed ? try content.value.status().byteCount : part.byteCount
                let (begin, found) = try Self.beginning(ofLast: wanted, in: content, of: byteCount)
                position = begin
                wanted -= found
                guard wanted > 0, first > 0 else { break }
                first -= 1
            }
            parts.removeFirst(first)
        }
        let follows = options.follows
        state.withLock { state in
            (state.parts, state.position, state.isOpen) = (parts, position, true)
            if !follows { state.end = last.byteCount }
        }
        return true
    }

    /// Where the last lines begin, found from the end.
    ///
    /// - Returns: where, and how many lines follow.
    private static func beginning(ofLast count: Int, in file: FileHolder, of end: Int64) throws(Errno) -> (Int64, Int) {
        guard count > 0, end > 0 else { return (end, 0) }
        var (position, found) = (end, 0)
        while position > 0 {
            let begin = Swift.max(0, position - Int64(pieceByteCount))
            try file.value.seek(to: begin)
            var buffer = [UInt8](repeating: 0, count: Int(position - begin))
            let got = try file.value.read(intoArray: &buffer)
            for index in (0..<got).reversed() where buffer[index] == 10 {
                // The newline at the very end ends the last line.
                if begin + Int64(index) + 1 == end { continue }
                found += 1
                if found == count { return (begin + Int64(index) + 1, count) }
            }
            position = begin
        }
        // The first line begins at the beginning.
        return (0, found + 1)
    }

    /// Waits until the log is longer, or the process has ended.
    private func waitForMore() async throws(ContainerError) {
        let path = "\(store.services.root)/containers/\(object.id)"
        let known = state.withLock { $0.changes }
        do throws(Errno) {
            guard let known else {
                // From now on; what came until now is looked for once more before anything is waited for.
                let changes = FileHolder(try FileChanges.watch(path))
                return state.withLock { $0.changes = changes }
            }
            // The end of the process, or of its start: one of the two may have come meanwhile.
            let (end, startEnd) = object.state.withLock { state in
                (state.lifecycle.isRunning ? state.end : nil, state.lifecycle.phase == .starting ? state.startEnd : nil)
            }
            guard end != nil || startEnd != nil else { return }
            let reactor = store.services.reactor
            let until = options.until
            let failure = await withTaskGroup(of: Errno?.self) { group in
                group.addTask {
                    do throws(ReactorError) { try await reactor.waitReadable(known.value) } catch { return error.underlying }
                    return nil
                }
                group.addTask {
                    if let end { _ = await end.value() } else { _ = await startEnd?.value() }
                    return nil
                }
                if let until {
                    let left = until.nanoseconds - Timestamp.now.nanoseconds
                    group.addTask {
                        do throws(ReactorError) { try await reactor.sleep(for: .nanoseconds(Swift.max(0, left))) } catch {
                            return error.underlying
                        }
                        return nil
                    }
                }
                let first = await group.next() ?? nil
                group.cancelAll()
                return first
            }
            if let failure { throw failure }
            if Task.isCancelled { throw Errno.ECANCELED }
            try FileChanges.drain(known.value)
        } catch {
            if error == .ECANCELED { throw .cancelled }
            throw .storage("cannot watch the log of container \(object.shortID)", error)
        }
    }

    /// Reads line by line.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let stream: LogStream
        private var lines: ArraySlice<LogLine> = []

        fileprivate init(_ stream: LogStream) { self.stream = stream }

        /// The next line.
        public mutating func next() async throws -> LogLine? {
            if lines.isEmpty {
                guard let batch = try await stream.nextBatch() else { return nil }
                lines = batch[...]
            }
            return lines.removeFirst()
        }
    }

    /// Begins reading.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

/// A file that several tasks share.
final class FileHolder: Sendable {
    let value: OwnedDescriptor
    init(_ value: consuming OwnedDescriptor) { self.value = value }
}
