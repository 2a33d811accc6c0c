public import BerthOCI

/// A line of a container's output, as its log has it.
public struct LogLine: Hashable, Sendable {
    /// Where it was written to.
    public enum Stream: Hashable, Sendable {
        /// Standard output, or the terminal.
        case output
        /// Standard error.
        case errors
    }
    /// Where to.
    public var stream: Stream
    /// When the monitor read it.
    public var time: Timestamp
    /// The bytes, with the newline where there was one: a line of more than 16 KiB comes in several pieces.
    public var bytes: [UInt8]
    /// The labels, variables and tag that the log's options name.
    public var attributes: [String: String] = [:]

    /// The bytes as text, without the newline.
    public var text: String { String(decoding: bytes.last == 10 ? bytes.dropLast() : bytes[...], as: UTF8.self) }

    /// A line of these.
    public init(stream: Stream, time: Timestamp, bytes: [UInt8]) { (self.stream, self.time, self.bytes) = (stream, time, bytes) }
}

/// Reads Docker's json-file lines: `{"log":"hi\n","stream":"stdout","time":"2026-11-24T10:00:00.123456789Z"}`.
struct LogLineParser {
    private let line: ArraySlice<UInt8>
    private var position: Int

    /// `nil` for what is no such line: a kill, or a loss of power, may leave a piece of one.
    static func parse(_ line: ArraySlice<UInt8>) -> LogLine? {
        var parser = LogLineParser(line: line, position: line.startIndex)
        return parser.object()
    }

    private init(line: ArraySlice<UInt8>, position: Int) { (self.line, self.position) = (line, position) }

    private mutating func object() -> LogLine? {
        var (log, stream, time): ([UInt8]?, LogLine.Stream?, Timestamp?) = (nil, nil, nil)
        var attributes: [String: String] = [:]
        guard take(UInt8(ascii: "{")) else { return nil }
        repeat {
            guard let key = string(), take(UInt8(ascii: ":")) else { return nil }
            if key.elementsEqual("attrs".utf8) {
                guard let found = texts() else { return nil }
                attributes = found
                continue
            }
            guard let value = string() else { return nil }
            if key.elementsEqual("log".utf8) {
                log = value
            } else if key.elementsEqual("stream".utf8) {
                stream = value.elementsEqual("stdout".utf8) ? .output : value.elementsEqual("stderr".utf8) ? .errors : nil
            } else if key.elementsEqual("time".utf8) {
                time = Timestamp(rfc3339: String(decoding: value, as: UTF8.self))
            }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")), let log, let stream, let time else { return nil }
        var line = LogLine(stream: stream, time: time, bytes: log)
        line.attributes = attributes
        return line
    }

    /// An object of texts.
    private mutating func texts() -> [String: String]? {
        guard take(UInt8(ascii: "{")) else { return nil }
        if take(UInt8(ascii: "}")) { return [:] }
        var found: [String: String] = [:]
        repeat {
            guard let key = string(), take(UInt8(ascii: ":")), let value = string() else { return nil }
            found[String(decoding: key, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}")) ? found : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < line.endIndex, line[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func string() -> [UInt8]? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        var result: [UInt8] = []
        var plainStart = position
        while position < line.endIndex {
            switch line[position] {
            case UInt8(ascii: "\""):
                result += line[plainStart..<position]
                position += 1
                return result
            case UInt8(ascii: "\\"):
                result += line[plainStart..<position]
                position += 1
                guard escape(into: &result) else { return nil }
                plainStart = position
            case 0..<0x20: return nil  // a JSON text has none: what a loss of power leaves is full of zeros
            default: position += 1
            }
        }
        return nil
    }

    private mutating func escape(into result: inout [UInt8]) -> Bool {
        guard position < line.endIndex else { return false }
        defer { position += 1 }
        switch line[position] {
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "u"):
            guard var scalar = hexadecimal(at: position + 1) else { return false }
            position += 4
            if (0xd800..<0xdc00).contains(scalar), position + 2 < line.endIndex, line[position + 1] == UInt8(ascii: "\\"),
                line[position + 2] == UInt8(ascii: "u"), let low = hexadecimal(at: position + 3), (0xdc00..<0xe000).contains(low)
            {
                scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
                position += 6
            }
            result += Array(String(Unicode.Scalar(scalar) ?? "\u{fffd}").utf8)
        case let byte where byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "/"): result.append(byte)
        default: return false
        }
        return true
    }

    private func hexadecimal(at index: Int) -> UInt32? {
        guard index + 4 <= line.endIndex else { return nil }
        var value: UInt32 = 0
        for byte in line[index..<index + 4] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }
}
