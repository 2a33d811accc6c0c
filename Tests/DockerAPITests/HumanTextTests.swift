import DockerAPI
import Testing

@Suite("Numbers as people read them, in Docker's words")
struct HumanTextTests {
    @Test(
        "Bytes in powers of 1,000",
        arguments: [
            (0, "0B", "0B"), (7, "7B", "7B"), (999, "999B", "999B"), (1000, "1kB", "1kB"), (1234, "1.23kB", "1.234kB"),
            (12_345_678, "12.3MB", "12.35MB"),
            (123_456_789, "123MB", "123.5MB"), (1_500_000_000, "1.5GB", "1.5GB"), (.max, "9.22EB", "9.223EB"),
        ] as [(Int64, String, String)])
    func sizes(byteCount: Int64, three: String, four: String) {
        #expect(HumanText.size(byteCount) == three)
        #expect(HumanText.size(byteCount, digits: 4) == four)
    }

    @Test(
        "Bytes in powers of 1,024",
        arguments: [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1 << 30, "1GiB"), (33_567_891_456, "31.26GiB"), (.max, "8EiB")]
            as [(Int64, String)])
    func binarySizes(byteCount: Int64, text: String) {
        #expect(HumanText.binarySize(byteCount) == text)
    }

    @Test(
        "Times that have passed",
        arguments: [
            (-5, "Less than a second"), (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
            (119, "About a minute"), (120, "2 minutes"),
            (3599, "59 minutes"), (3600, "About an hour"), (5399, "About an hour"), (5400, "2 hours"), (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (13 * 86400, "13 days"), (14 * 86400, "2 weeks"), (59 * 86400, "8 weeks"), (60 * 86400, "2 months"), (729 * 86400, "24 months"),
            (730 * 86400, "2 years"),
        ] as [(Int64, String)])
    func durations(seconds: Int64, text: String) {
        #expect(HumanText.duration(seconds: seconds) == text)
    }

    @Test(
        "A cut text says that it is cut",
        arguments: [("", ""), ("12345", "12345"), ("123456", "1234…"), ("ééééé", "ééééé"), ("éééééé", "éééé…")])
    func ellipsis(text: String, cut: String) {
        #expect(HumanText.ellipsis(text, 5) == cut)
    }
}
