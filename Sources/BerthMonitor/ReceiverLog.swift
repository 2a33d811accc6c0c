internal import BerthLaunch
internal import BerthLinux
internal import Glibc

/// What a container says, on its way to a receiver. A receiver that is gone is tried again and again; what is said meanwhile waits, as much as there is room
/// for, and the rest is counted, and said as soon as there is somebody to say it to.
final class ReceiverLog {
    private let receiver: LogReceiver
    private let format: (LogEntry, _ chunk: [UInt8]) -> [UInt8]?
    private let isAnswered: Bool
    private var output = EntrySeries(isError: false)
    private var errors = EntrySeries(isError: true)
    /// Records that wait, from ``first`` on; of that one so many bytes have gone. Each with what it is called in its answer, where there is to be one.
    private var queue: [(record: [UInt8], chunk: [UInt8], outputByteCount: Int)] = []
    private var first = 0
    private var sentByteCount = 0
    private var waitingByteCount = 0
    private var missing: (entryCount: Int, byteCount: Int) = (0, 0)
    /// Whether the first has gone whole, and its answer is not there.
    private var awaitsAnswer = false
    private var answer: [UInt8] = []
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
            (format, isAnswered) = ({ entry, _ in record.bytes(of: entry) }, false)
        case .journal(let fields):
            let record = JournalRecord(fields)
            (format, isAnswered) = ({ entry, _ in record.bytes(of: entry) }, false)
        case .fluent(let tag, let fields, let hasNanoseconds, let asksForAnswers):
            let record = FluentRecord(tag: tag, fields: fields, hasNanoseconds: hasNanoseconds)
            (format, isAnswered) = ({ entry, chunk in record.bytes(of: entry, chunk: chunk) }, asksForAnswers)
        }
        do throws(ReceiverSocket.Failure) {
            socket = try ReceiverSocket(to: receiver)
            if receiver.isNeededAtStart { try socket?.waitConnected(milliseconds: Self.startMilliseconds) }
        } catch {
            guard !receiver.isNeededAtStart else {
                throw LaunchFailure(
                    stage: .preparation, errnoValue: error.errno.rawValue,
                    reason: "failed to initialize logging driver: dial \(receiver.name): connect: \(error.reason)")
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
        let events =
            !isConnected ? socket?.connectingEvents ?? 0 : first == queue.count || awaitsAnswer ? POLLIN : POLLIN | POLLOUT
        return socket?.descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(events), revents: 0) }
    }
    /// When a receiver that is gone is tried again; `nil` where nothing is to be told.
    var retryDeadline: Int64? { socket == nil && hasWaiting ? retryTime : nil }

    /// To be called when the socket has news.
    func handle() {
        guard socket != nil else { return }
        do throws(ReceiverSocket.Failure) { if !isConnected { try socket?.finishConnecting() } } catch { return fail() }
        guard let said = socket?.receive(), takeAnswer(said) else { return fail() }
        flush()
    }

    /// To be called when ``retryDeadline`` has come.
    func retry() {
        do throws(ReceiverSocket.Failure) { socket = try ReceiverSocket(to: receiver) } catch { return fail() }
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
            let chunk = isAnswered ? Self.newChunk() : []
            guard let record = format(entry, chunk) else { continue }
            // A receiver that reads makes room; one that is waited for has what was read before it was known to be full.
            if !hasRoom(for: record) { flush() }
            guard missing.entryCount == 0, hasRoom(for: record) || receiver.isWaitedFor && isConnected else {
                missing = (missing.entryCount + 1, missing.byteCount + entry.bytes.count)
                continue
            }
            enqueue(record, chunk, entry.bytes.count)
        }
        flush()
    }

    /// 128 bits by chance, as the protocol has it.
    private static func newChunk() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        let digits = [random.next() as UInt64, random.next()].map { String($0, radix: 16) }
        return Array(digits.map { String(repeating: "0", count: 16 - $0.count) + $0 }.joined().utf8)
    }

    /// Alone, a record is never too large.
    private func hasRoom(for record: [UInt8]) -> Bool {
        waitingByteCount == 0 || waitingByteCount + record.count <= receiver.roomByteCount
    }

    private func enqueue(_ record: [UInt8], _ chunk: [UInt8], _ outputByteCount: Int) {
        queue.append((record, chunk, outputByteCount))
        waitingByteCount += record.count
        // One that has gone meanwhile is tried at once, unless it just failed.
        if socket == nil, retryTime <= monotonicNanoseconds() { retry() }
    }

    /// Where entries are left out, an entry says so in their place.
    private func sayWhatIsMissing() {
        let text =
            "[berth: \(missing.byteCount) bytes in \(missing.entryCount) log entries are missing here: their receiver did not take them]"
        let entry = LogEntry(bytes: Array(text.utf8), isError: true, time: realtimeNanoseconds())
        let chunk = isAnswered ? Self.newChunk() : []
        guard let notice = format(entry, chunk), hasRoom(for: notice) else { return }
        missing = (0, 0)
        enqueue(notice, chunk, 0)
    }

    // MARK: The socket

    private func flush() {
        while isConnected, !awaitsAnswer {
            if first == queue.count, missing.entryCount > 0 { sayWhatIsMissing() }
            guard first < queue.count else { break }
            do throws(Errno) {
                guard let count = try socket?.send(queue[first].record, from: sentByteCount) else { break }
                // One that takes records and never answers is as good as gone.
                if !isAnswered { failureCount = 0 }
                sentByteCount += count
            } catch { return fail() }
            guard sentByteCount == queue[first].record.count else { continue }
            if isAnswered { awaitsAnswer = true } else { forgetFirst() }
        }
        if first == queue.count {
            queue.removeAll()
            first = 0
        } else if first > 1024 {
            queue.removeFirst(first)
            first = 0
        }
    }

    /// The receiver has the first record.
    private func forgetFirst() {
        waitingByteCount -= sentByteCount
        queue[first].record = []
        (first, sentByteCount) = (first + 1, 0)
    }

    /// What the receiver says is of interest only where it was asked.
    ///
    /// - Returns: `false` where it is no answer to what was asked.
    private func takeAnswer(_ said: [UInt8]) -> Bool {
        guard awaitsAnswer, !said.isEmpty else { return true }
        answer += said
        switch FluentAnswer(answer) {
        case .partial: return true
        case .acknowledged(let chunk) where chunk == queue[first].chunk:
            (awaitsAnswer, answer, failureCount) = (false, [], 0)
            forgetFirst()
            return true
        case .acknowledged, .nonsense: return false
        }
    }

    /// The receiver is gone: later.
    private func fail() {
        socket = nil
        (awaitsAnswer, answer) = (false, [])
        // A record of which only a part went, or that was not answered, is told again.
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
