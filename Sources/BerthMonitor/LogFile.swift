internal import BerthLinux

/// The container's log. A log that cannot be written loses lines, never the container: what is missing is counted, and said in the log
/// as soon as there is room again.
struct LogFile: ~Copyable {
    private var writer: LogWriter?
    /// In the place of a writer of our own, where the container does not wait for its log.
    private let unawaited: UnawaitedLogWriter?
    private let limits: LogLimits
    private var output: LineFormat
    private var errors: LineFormat
    private var buffer: [UInt8] = []
    private var missing: (entryCount: Int, byteCount: UInt64) = (0, 0)
    /// How much of the output is in entries that were written, or counted as missing.
    private var accountedByteCount: UInt64 = 0
    /// At a container's end so much is still compressed, 32 MiB in a part of a second; what is more is left to its next start.
    private static let lastPieceCount = 128

    /// - Parameter roomByteCount: how much waits for the file, which is then written by a thread; 0: all is written at once.
    init(
        appendingTo name: PathBytes, in directory: borrowing Directory, limits: LogLimits = LogLimits(), attributes: String = "",
        roomByteCount: UInt64 = 0
    ) throws(Errno) {
        let writer = try LogWriter(appendingTo: name, in: directory, limits: limits)
        if roomByteCount > 0 {
            unawaited = try UnawaitedLogWriter(writer, roomByteCount: roomByteCount)
            self.writer = nil
        } else {
            unawaited = nil
            self.writer = consume writer
        }
        self.limits = limits
        (output, errors) = (
            LineFormat(streamName: "stdout", attributes: attributes), LineFormat(streamName: "stderr", attributes: attributes)
        )
    }

    /// Whether the log says nothing yet of what it lacks.
    var hasMissing: Bool { missing.entryCount > 0 }
    /// Whether a full file may be there that is to be compressed here.
    var isCompressing: Bool {
        switch writer {
        case .some(let writer): writer.isCompressing
        case nil: false
        }
    }

    /// Compresses a piece of a full file.
    mutating func compressMore() { writer?.compressMore() }

    mutating func append(_ bytes: borrowing Span<UInt8>, isError: Bool) {
        let time = LogTime.text(realtimeNanoseconds())
        let step = pieceByteCount ?? bytes.count
        var start = 0
        while start < bytes.count {
            let piece = bytes.extracting(start..<min(start + step, bytes.count))
            if isError { errors.append(piece, time: time, to: &buffer) } else { output.append(piece, time: time, to: &buffer) }
            flush()
            start += step
        }
    }

    /// How much output is written at once where a file has a bound, so that it is not far beyond that: a short line is many times as long in the log. `nil`
    /// is all.
    private var pieceByteCount: Int? {
        limits.maximumByteCount > 0 ? max(512, min(64 << 10, Int(clamping: limits.maximumByteCount / 64))) : nil
    }

    /// There will be no more.
    mutating func finish() {
        let time = LogTime.text(realtimeNanoseconds())
        output.finish(time: time, to: &buffer)
        errors.finish(time: time, to: &buffer)
        unawaited?.waitUntilWritten()
        flush()
        if hasMissing { sayWhatIsMissing() }
        unawaited?.finish(lastPieceCount: Self.lastPieceCount)
        writer?.finishCompression(pieceCount: Self.lastPieceCount)
    }

    /// Writes the line that says what is missing, if there is room for it now.
    mutating func sayWhatIsMissing() {
        guard hasMissing else { return }
        let notice =
            #"{"log":"[berth: \#(missing.byteCount) bytes in \#(missing.entryCount) log entries are missing here: the log could not be written]\n","stream":"stderr","time":""#
        if store(Array(notice.utf8) + LogTime.text(realtimeNanoseconds()) + Array("\"}\n".utf8)) { missing = (0, 0) }
    }

    private mutating func flush() {
        guard !buffer.isEmpty else { return }
        let formatted = output.formattedByteCount + errors.formattedByteCount
        sayWhatIsMissing()
        if hasMissing || !store(buffer) {
            missing.entryCount += buffer.reduce(0) { $1 == 10 ? $0 + 1 : $0 }
            missing.byteCount += formatted - accountedByteCount
        }
        accountedByteCount = formatted
        buffer.removeAll(keepingCapacity: true)
    }

    /// Whether it is written, or will be.
    private mutating func store(_ bytes: [UInt8]) -> Bool { unawaited?.take(bytes) ?? writer?.writeWhole(bytes) ?? false }
}

/// RFC 3339 with nine digits, in UTC. The day's part is kept: most entries are of one day.
enum LogTime {
    static func text(_ nanoseconds: Int64) -> [UInt8] {
        let seconds = nanoseconds / 1_000_000_000
        let days = seconds / 86400
        let ofDay = seconds % 86400
        // A date of the Gregorian calendar from days since 1970: years start in March, so that the leap day is the last.
        let shifted = days + 719468
        let era = shifted / 146097
        let dayOfEra = shifted - era * 146097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        var out: [UInt8] = []
        out.reserveCapacity(30)
        func digits(_ value: Int64, _ width: Int) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            var rest = value
            while divisor > 0 {
                out.append(UInt8(48 + rest / divisor % 10))
                rest %= divisor
                divisor /= 10
            }
        }
        for (value, width, end) in [
            (year, 4, "-"), (month, 2, "-"), (dayOfYear - (153 * part + 2) / 5 + 1, 2, "T"), (ofDay / 3600, 2, ":"),
            (ofDay / 60 % 60, 2, ":"),
            (ofDay % 60, 2, "."), (nanoseconds % 1_000_000_000, 9, "Z"),
        ] as [(Int64, Int, String)] {
            digits(value, width)
            out += end.utf8
        }
        return out
    }
}
