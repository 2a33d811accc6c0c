internal import BerthLaunch
internal import BerthLinux
internal import Glibc

/// What a container says, on its way to a receiver. A receiver that is gone is tried again and again; what is said meanwhile waits, as much as there is room
/// for, and the rest is counted, and said as soon as there is somebody to say it to.
final class ReceiverLog {
    private let receiver: LogReceiver
    private let format: (LogEntry) -> [UInt8]?
    private var output = EntrySeries(isError: false)
    private var errors = EntrySeries(isError: true)
    /// Records that wait, from ``first`` on; of that one so many bytes have gone.
    private var queue: [(record: [UInt8], outputByteCount: Int)] = []
    private var first = 0
    private var sentByteCount = 0
    private var waitingByteCount = 0
    private var missing: (entryCount: Int, byteCount: Int) = (0, 0)
    private var socket: ReceiverSocket?
    private var failureCount: UInt64 = 0
    private var retryTime: Int64 = 0

    /// How long the start of a container waits for its receiver.
    private static let startMilliseconds: Int32 = 10_000
    private static let maximumRetryMilliseconds: UInt64 = 60_000

    /// - Throws: where the receiver is needed and cannot be reached.
    init(_ receiver: LogReceiver) throws(LaunchFailure) {
        self.receiver = receiver
        switch receiver.format {
        case .syslog(let line):
            let record = SyslogRecord(line: line, processID: getpid())
            format = { record.bytes(of: $0) }
        case .journal(let fields):
            let record = JournalRecord(fields)
            format = { record.bytes(of: $0) }
        case .fluent(let tag, let fields, let hasNanoseconds):
            let record = FluentRecord(tag: tag, fields: fields, hasNanoseconds: hasNanoseconds)
            format = { record.bytes(of: $0) }
        }
        do throws(Errno) {
            socket = try ReceiverSocket(to: receiver)
            if receiver.isNeededAtStart { try socket?.waitConnected(milliseconds: Self.startMilliseconds) }
        } catch {
            guard !receiver.isNeededAtStart else {
                throw LaunchFailure(
                    stage: .preparation, errnoValue: error.rawValue,
                    reason: "failed to initialize logging driver: dial \(receiver.name): connect: \(error)")
            }
            fail()
        }
    }

    // MARK: What the monitor asks

    private var isConnected: Bool { socket?.isConnected ?? false }
    /// Whether the container is to wait before it says more.
    var isFull: Bool { receiver.isWaitedFor && isConnected && waitingByteCount >= receiver.roomByteCount }
    /// Whether something is still to be told.
    var hasWaiting: Bool { first < queue.count || missing.entryCount > 0 }
    /// What of the socket is of interest; `nil` where there is none.
    var polled: pollfd? {
        guard socket != nil else { return nil }
        let events = isConnected && first == queue.count ? POLLIN : POLLIN | POLLOUT
        return socket?.descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(events), revents: 0) }
    }
    /// When a receiver that is gone is tried again; `nil` where nothing is to be told.
    var retryDeadline: Int64? { socket == nil && hasWaiting ? retryTime : nil }

    /// To be called when the socket has news.
    func handle() {
        guard socket != nil else { return }
        do throws(Errno) { if !isConnected { try socket?.finishConnecting() } } catch { return fail() }
        if socket?.hasBeenClosed() ?? false { return fail() }
        flush()
    }

    /// To be called when ``retryDeadline`` has come.
    func retry() {
        do throws(Errno) { socket = try ReceiverSocket(to: receiver) } catch { return fail() }
        flush()
    }

    // MARK: Entries

    func append(_ bytes: borrowing Span<UInt8>, isError: Bool) {
        let time = realtimeNanoseconds()
        take(isError ? errors.append(bytes, time: time) : output.append(bytes, time: time))
    }

    /// There will be no more.
    func finish() {
        let time = realtimeNanoseconds()
        take(output.finish(time: time) + errors.finish(time: time))
    }

    private func take(_ entries: [LogEntry]) {
        for entry in entries {
            if missing.entryCount > 0 { sayWhatIsMissing() }
            guard let record = format(entry) else { continue }
            // A receiver that reads makes room; one that is waited for has what was read before it was known to be full.
            if !hasRoom(for: record) { flush() }
            guard missing.entryCount == 0, hasRoom(for: record) || receiver.isWaitedFor && isConnected else {
                missing = (missing.entryCount + 1, missing.byteCount + entry.bytes.count)
                continue
            }
            enqueue(record, entry.bytes.count)
        }
        flush()
    }

    /// Alone, a record is never too large.
    private func hasRoom(for record: [UInt8]) -> Bool {
        waitingByteCount == 0 || waitingByteCount + record.count <= receiver.roomByteCount
    }

    private func enqueue(_ record: [UInt8], _ outputByteCount: Int) {
        queue.append((record, outputByteCount))
        waitingByteCount += record.count
        // One that has gone meanwhile is tried at once, unless it just failed.
        if socket == nil, retryTime <= monotonicNanoseconds() { retry() }
    }

    /// Where entries are left out, an entry says so in their place.
    private func sayWhatIsMissing() {
        let text =
            "[berth: \(missing.byteCount) bytes in \(missing.entryCount) log entries are missing here: their receiver did not take them]"
        let entry = LogEntry(bytes: Array(text.utf8), isError: true, time: realtimeNanoseconds())
        guard let notice = format(entry), hasRoom(for: notice) else { return }
        missing = (0, 0)
        enqueue(notice, 0)
    }

    // MARK: The socket

    private func flush() {
        while isConnected {
            if first == queue.count, missing.entryCount > 0 { sayWhatIsMissing() }
            guard first < queue.count else { break }
            do throws(Errno) {
                guard let count = try socket?.send(queue[first].record, from: sentByteCount) else { break }
                failureCount = 0
                sentByteCount += count
            } catch { return fail() }
            guard sentByteCount == queue[first].record.count else { continue }
            waitingByteCount -= sentByteCount
            queue[first].record = []
            (first, sentByteCount) = (first + 1, 0)
        }
        if first == queue.count {
            queue.removeAll()
            first = 0
        } else if first > 1024 {
            queue.removeFirst(first)
            first = 0
        }
    }

    /// The receiver is gone: later.
    private func fail() {
        socket = nil
        // A record of which only a part went is told again.
        sentByteCount = 0
        failureCount += 1
        if failureCount > receiver.maximumFailureCount { giveUpWaiting() }
        let delay = min(receiver.retryMilliseconds << min(failureCount - 1, 20), Self.maximumRetryMilliseconds)
        retryTime = monotonicNanoseconds() + Int64(delay) * 1_000_000
    }

    private func giveUpWaiting() {
        let lost = queue[first...]
        missing = (missing.entryCount + lost.count, missing.byteCount + lost.reduce(0) { $0 + $1.outputByteCount })
        queue.removeAll()
        (first, waitingByteCount, failureCount) = (0, 0, 1)
    }
}
