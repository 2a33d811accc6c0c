import Testing

@testable import DockerAPI

@Suite("Progress lines")
struct ProgressTests {
    @Test(
        "Counts of bytes have four digits, as Docker's",
        arguments: [
            (0, "0B"), (7, "7B"), (999, "999B"), (1000, "1kB"), (1234, "1.234kB"), (12_345_678, "12.35MB"), (123_456_789, "123.5MB"),
            (1_500_000_000, "1.5GB"),
            (999_999, "1000kB"), (18_446_744_073_709_551_615, "18.45EB"),
        ] as [(UInt64, String)])
    func sizes(byteCount: UInt64, text: String) {
        #expect(HumanText.size(byteCount, digits: 4) == text)
    }

    @Test("A line is JSON and ends as Docker's do")
    func lines() {
        func text(_ message: ProgressMessage) -> String { String(decoding: message.line, as: UTF8.self) }
        #expect(
            text(.status("Importing", current: 1500)) == #"{"status":"Importing","progressDetail":{"current":1500},"progress":"1.5kB"}"#
                + "\r\n")
        #expect(text(.status("sha256:1")) == #"{"status":"sha256:1"}"# + "\r\n")
        #expect(
            text(.status("x", id: "i", current: 1, total: 2)) == #"{"status":"x","progressDetail":{"current":1,"total":2},"id":"i"}"#
                + "\r\n")
        #expect(text(.text("Loaded image: a:1")) == #"{"stream":"Loaded image: a:1\n"}"# + "\r\n")
        #expect(text(.failure("no <room>")) == #"{"errorDetail":{"message":"no \u003croom\u003e"},"error":"no \u003croom\u003e"}"# + "\r\n")
    }
}
