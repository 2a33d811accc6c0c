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
        var file: FileHolder?
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
        guard object.document.configuration.logDriver == .jsonFile else {
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

    /// Reads a piece of the file: whole lines. What is not a whole line yet may still be taken back, as when the disk is full, and is read again.
    private func read() throws(ContainerError) -> (lines: [LogLine], isAtEnd: Bool) {
        do throws(Errno) {
            guard let file = try open() else { return ([], true) }
            let (position, end) = state.withLock { ($0.position, $0.end) }
            guard position < end else { return ([], true) }
            var buffer = [UInt8](repeating: 0, count: Self.pieceByteCount)
            try file.value.seek(to: position)
            var count = try file.value.read(intoArray: &buffer)
            count = Int(Swift.min(Int64(count), end - position))
            let isFull = count == buffer.count
            guard let last = buffer[..<count].lastIndex(of: 10) else {
                guard isFull else { return ([], true) }
                state.withLock { $0.position = position + Int64(count) }
                return ([], false)
            }
            state.withLock { $0.position = position + Int64(last) + 1 }
            return (select(buffer[...last]), false)
        } catch {
            throw .storage("cannot read the log of container \(object.shortID)", error)
        }
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
    private func open() throws(Errno) -> FileHolder? {
        if let file = state.withLock({ $0.file }) { return file }
        let directory = try Directory.open("\(store.services.root)/containers/\(object.id)")
        let file: FileHolder
        do { file = FileHolder(try directory.openForReading(try PathBytes("\(object.id)-json.log"))) } catch {
            if error == .ENOENT { return nil }
            throw error
        }
        let end = try file.value.status().byteCount
        let position = try options.tail.map { count throws(Errno) in try Self.beginning(ofLast: count, in: file, of: end) } ?? 0
        let follows = options.follows
        return state.withLock { state in
            state.file = file
            state.position = position
            if !follows { state.end = end }
            return file
        }
    }

    /// Where the last lines begin, found from the end.
    private static func beginning(ofLast count: Int, in file: FileHolder, of end: Int64) throws(Errno) -> Int64 {
        guard count > 0 else { return end }
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
                if found == count { return begin + Int64(index) + 1 }
            }
            position = begin
        }
        return 0
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
