import BerthOCI
import Testing

@testable import DockerAPI

@Suite("The parameter platform")
struct PlatformParameterTests {
    @Test(
        "JSON as newer clients send it, or text as older calls have it",
        arguments: [
            (#"{"os":"linux","architecture":"arm64","variant":"v8"}"#, "linux/arm64/v8"),
            (#"{"architecture":"amd64","os":"linux"}"#, "linux/amd64"),
            (#"{"OS":"linux","Architecture":"x86_64","variant":null}"#, "linux/amd64"), ("linux/arm/v7", "linux/arm/v7"),
        ])
    func values(_ text: String, _ meaning: String) throws {
        #expect(try PlatformParameter.parse(text)?.description == meaning)
    }

    @Test("Nothing is none")
    func nothing() throws { #expect(try PlatformParameter.parse("") == nil) }

    @Test(
        "What is none is refused",
        arguments: [
            "{", "{}", #"{"os":"linux"}"#, #"{"os":1,"architecture":"amd64"}"#, #"{"os":"linux","architecture":"a/b/c"}"#, "a/b/c/d",
            #"{"os":"linux","architecture":"amd64","x":1}"#,
        ])
    func refused(_ text: String) { #expect(throws: RequestError.self) { try PlatformParameter.parse(text) } }

    @Test("What the system must be and have is read")
    func system() throws {
        let text = #"{"os":"windows","architecture":"amd64","os.version":"10","os.features":["win32k"]}"#
        let platform = try #require(try PlatformParameter.parse(text))
        #expect(platform.osVersion == "10" && platform.osFeatures == ["win32k"])
    }
}
