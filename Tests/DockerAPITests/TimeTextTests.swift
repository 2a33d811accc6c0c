import BerthOCI
import DockerAPI
import Testing

@Suite("Points in time as people write them")
struct TimeTextTests {
    private static let now = Timestamp(nanoseconds: 1_764_000_000_500_000_000)

    @Test(
        "Durations are counted back from now, the rest are times",
        arguments: [
            ("0s", 1_764_000_000_500_000_000), ("10m", 1_763_999_400_500_000_000), ("1h30m", 1_763_994_600_500_000_000),
            ("1.5s", 1_763_999_999_000_000_000), ("500ms", 1_764_000_000_000_000_000),
            ("0", 0), ("5", 5_000_000_000), ("-5", -5_000_000_000), ("1764000000.000000001", 1_764_000_000_000_000_001),
            ("1970-01-01T00:00:02Z", 2_000_000_000), ("1970-01-01T01:00:02+01:00", 2_000_000_000),
        ] as [(String, Int64)])
    func forms(text: String, nanoseconds: Int64) {
        #expect(TimeText.parse(text, now: Self.now) == Timestamp(nanoseconds: nanoseconds))
    }

    @Test("Dates are by the local clock, with parts left out from the end")
    func local() {
        for (text, more) in [
            ("2026-11-24", 0), ("2026-11-24T13", 13 * 3600), ("2026-11-24T13:49", 13 * 3600 + 49 * 60), ("2026-11-24T00:00:07", 7),
        ] {
            let time = LocalTime(TimeText.parse(text)?.seconds ?? 0)
            #expect((time.year, time.month, time.day) == (2026, 11, 24), "\(text)")
            #expect(time.hour * 3600 + time.minute * 60 + time.second == more, "\(text)")
        }
    }

    @Test(
        "What is none",
        arguments: [
            "", "yesterday", "1x", "m", "2026-13-01", "2026-11-24T25", "2026-11-24T00:00:99", "2026-11", "1.", "1.1234567890",
            "99999999999999999", "9999999999h",
        ])
    func malformed(text: String) {
        #expect(TimeText.parse(text) == nil)
    }
}
