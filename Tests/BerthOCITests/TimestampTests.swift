import BerthOCI
import FoundationEssentials
import Testing

@Suite("Times are RFC 3339 to the nanosecond")
struct TimestampTests {
    @Test(
        "Known moments",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2001-09-09T01:46:40Z", 1_000_000_000_000_000_000), ("1969-12-31T23:59:59.999999999Z", -1),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500_000_000), ("2038-01-19T03:14:08Z", 2_147_483_648_000_000_000),
            ("1900-03-01T00:00:00Z", -2_203_891_200_000_000_000), ("2024-12-31T23:59:59.123456789Z", 1_735_689_599_123_456_789),
        ] as [(String, Int64)])
    func moments(text: String, nanoseconds: Int64) {
        #expect(Timestamp(rfc3339: text) == Timestamp(nanoseconds: nanoseconds))
        #expect(Timestamp(nanoseconds: nanoseconds).rfc3339 == text)
    }

    @Test(
        "Offsets, small letters and long fractions mean the same moment",
        arguments: ["2001-09-09T03:46:40+02:00", "2001-09-08T20:16:40-05:30", "2001-09-09t01:46:40z", "2001-09-09 01:46:40.0000000009Z"])
    func sameMoment(text: String) {
        #expect(Timestamp(rfc3339: text) == Timestamp(nanoseconds: 1_000_000_000_000_000_000))
    }

    @Test(
        "What is no time is none",
        arguments: [
            "", "now", "2001-09-09", "2001-09-09T01:46Z", "2001-09-09T01:46:40", "2001-9-09T01:46:40Z", "2001-13-01T00:00:00Z",
            "2001-00-01T00:00:00Z",
            "2001-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2001-01-32T00:00:00Z", "2001-01-00T00:00:00Z", "2001-01-01T24:00:00Z",
            "2001-01-01T00:60:00Z",
            "2001-01-01T00:00:61Z", "2001-01-01T00:00:00.Z", "2001-01-01T00:00:00,5Z", "2001-01-01T00:00:00+2:00", "2001-01-01T00:00:00+02",
            "2001-01-01T00:00:00+24:00",
            "2001-01-01T00:00:00ZZ", " 2001-01-01T00:00:00Z", "+001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z",
            "２001-01-01T00:00:00Z",
        ])
    func refused(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test("Every day of a century and a bit is written as it is read")
    func days() {
        for day in stride(from: Int64(-40_000), through: 40_000, by: 1) {
            let time = Timestamp(nanoseconds: day * 86_400_000_000_000 + 1)
            #expect(Timestamp(rfc3339: time.rfc3339) == time)
        }
    }

    @Test("Any number of nanoseconds can be written", arguments: [Int64.min, .min + 1, -1_000_000_000, -999_999_999, -1, 0, .max])
    func extremes(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        let text = time.rfc3339Padded
        #expect(text.utf8.count == 30)
        let (product, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if !overflow { #expect((0..<1_000_000_000).contains(nanoseconds - product)) }
        if nanoseconds == .min { #expect(text == "1677-09-21T00:12:43.145224192Z") }
        if nanoseconds == .max { #expect(text == "2262-04-11T23:47:16.854775807Z") }
    }

    @Test("Padded lines have one width and sort as their times do")
    func padded() {
        let times = [1_700_000_000_000_000_000, 1_700_000_000_000_000_001, 1_700_000_000_100_000_000, 1_700_000_001_000_000_000].map {
            Timestamp(nanoseconds: $0)
        }
        let texts = times.map(\.rfc3339Padded)
        #expect(texts == texts.sorted())
        #expect(Set(texts.map(\.utf8.count)) == [30])
        #expect(texts[0] == "2023-11-14T22:13:20.000000000Z")
        #expect(times[0].rfc3339 == "2023-11-14T22:13:20Z")
    }

    @Test("A document's wrong time names it")
    func damaged() {
        let error = #expect(throws: DecodingError.self) { try JSONDecoder().decode([Timestamp].self, from: Data(#"["yesterday"]"#.utf8)) }
        #expect(error.map { "\($0)".contains("'yesterday'") } == true)
    }
}
