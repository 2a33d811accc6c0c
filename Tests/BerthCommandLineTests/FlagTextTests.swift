import BerthCommandLine
import Testing

@Suite("Flags as text")
struct FlagTextTests {
    @Test(
        "Every kind is written and read",
        arguments: [
            (FlagDeclaration(name: "all", kind: .boolean(negative: nil)), "all"),
            (FlagDeclaration(name: "quiet", shorthand: "q", kind: .boolean(negative: nil)), "quiet,q"),
            (
                FlagDeclaration(name: "sig-proxy", kind: .boolean(negative: "no-sig-proxy"), standard: "true"),
                "sig-proxy!no-sig-proxy:true"
            ),
            (FlagDeclaration(name: "pull", kind: .value(kind: "string"), standard: "missing"), "pull=string:missing"),
            (FlagDeclaration(name: "env", shorthand: "e", kind: .value(kind: "list")), "env,e=list"),
            (FlagDeclaration(name: "time", aliases: ["timeout"], shorthand: "t", kind: .value(kind: "int")), "time|timeout,t=int"),
        ])
    func text(flag: FlagDeclaration, text: String) {
        #expect(flag.text == text)
        #expect(FlagDeclaration(text: text[...]) == flag)
    }
}
