import BerthState
import Testing

@Suite("Ids of objects")
struct RandomIDTests {
    @Test("Ids are 64 hexadecimal digits, each time others")
    func ids() {
        let ids = (0..<1000).map { _ in RandomID.make() }
        #expect(ids.allSatisfy(RandomID.isValid))
        #expect(Set(ids).count == ids.count)
        for text in ["", String(ids[0].dropLast()), ids[0] + "0", ids[0].uppercased() + "", String(repeating: "g", count: 64)]
        where text != ids[0] {
            #expect(!RandomID.isValid(text))
        }
    }
}
