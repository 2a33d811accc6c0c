import BerthImages
import BerthOCI
import Testing

@Suite("How an image was made, as its configuration tells it")
struct HistoryTests {
    private func sample(_ history: String) -> Sample {
        var sample = Sample(["lower", "higher"])
        let text = String(decoding: sample.configuration, as: UTF8.self)
        sample.configuration = Array((text.dropLast() + ",\"history\":[\(history)]}").utf8)
        return sample
    }

    @Test("The last step first, each with its layer's size, or none")
    func steps() async throws {
        let room = try await ImageRoom()
        let sample = sample(
            """
            {"created":"2020-01-02T03:04:05Z","created_by":"ADD"},{"created_by":"ENV","empty_layer":true},
            {"created_by":"RUN","comment":"words"},{"created_by":"CMD","empty_layer":true}
            """)
        let image = try #require(try await room.load(sample.layoutMembers()).first).image
        let steps = try room.store.history(of: image)
        #expect(steps.map(\.entry.createdBy) == ["CMD", "RUN", "ENV", "ADD"])
        #expect(steps.map(\.byteCount) == [0, 12, 0, 10])
        #expect(steps.map(\.image) == [image.id, nil, nil, nil])
        #expect(steps.map(\.references) == [image.references, [], [], []])
        #expect(steps[1].layer == image.topLayer && steps[0].layer == nil)
        #expect(steps[1].entry.comment == "words" && steps[3].entry.created == Timestamp(rfc3339: "2020-01-02T03:04:05Z"))
        _ = try await room.rmi("sample:1")
        #expect { try room.store.history(of: image) } throws: { ($0 as? ImageError)?.code == .notFound }
        try room.remove()
    }

    @Test("Layers of which nothing is said are not in it, and more than there are is an error")
    func otherCounts() async throws {
        let room = try await ImageRoom()
        let short = try #require(try await room.load(sample(#"{"created_by":"ADD"}"#).layoutMembers()).first).image
        #expect(try room.store.history(of: short).map(\.byteCount) == [10])
        let step = #"{"created_by":"ADD"}"#
        let long = try #require(try await room.load(sample("\(step),\(step),\(step)").layoutMembers()).first).image
        #expect { try room.store.history(of: long) } throws: {
            ($0 as? ImageError)?.code == .storage
                && "\($0)" == "too many non-empty layers in History section: image \(long.id) has 2 layers"
        }
        try room.remove()
    }
}
