import Testing

@testable import BerthLaunch

@Suite struct LogFileMarkTests {
    private let mark = LogFileMark(inode: 0x0102_0304_0506_0708, seconds: 1_764_210_000, nanoseconds: 999_999_999)

    /// What is on disks.
    @Test func theHeaderHasTheseBytes() {
        #expect(
            mark.gzipHeader == [
                0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 25, 0, 0x42, 0x4c, 21, 0, 1, 8, 7, 6, 5, 4, 3, 2, 1, 0x50, 0xb5, 0x27, 0x69, 0, 0, 0, 0,
                0xff, 0xc9, 0x9a, 0x3b,
            ])
        #expect(LogFileMark.headerByteCount == mark.gzipHeader.count)
    }

    @Test func itIsReadAsItWasWritten() { #expect(LogFileMark(gzipHeader: mark.gzipHeader + [9, 9]) == mark) }

    @Test func whatIsNoneIsNotRead() {
        #expect(LogFileMark(gzipHeader: Array(mark.gzipHeader.dropLast())) == nil)
        for index in 0..<17 {
            var bytes = mark.gzipHeader
            bytes[index] ^= 1
            #expect(LogFileMark(gzipHeader: bytes) == nil)
        }
    }
}
