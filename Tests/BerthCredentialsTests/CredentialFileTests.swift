import BerthLinux
import Foundation
import Testing

@testable import BerthCredentials

@Suite("Docker's config.json is read and written as Docker does")
struct CredentialFileTests {
    private let secret = "pa:ss\"wörd"

    private func withFile(_ text: String?, _ body: (CredentialFile, String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-credentials-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }  // what is left lies in the temporary directory
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/config.json"
        if let text { try text.write(toFile: path, atomically: false, encoding: .utf8) }
        try body(CredentialFile(path: path, environment: ["PATH": folder, "DATA": folder]), folder)
    }

    private func text(_ folder: String) throws -> String { try String(contentsOfFile: folder + "/config.json", encoding: .utf8) }
    private func code(_ body: () throws -> Void) -> CredentialError.Code? {
        do { try body() } catch { return (error as? CredentialError)?.code }
        return nil
    }

    @Test func storingAndErasing() throws {
        try withFile(nil) { file, folder in
            let password = RegistryCredentials(.password(user: "anna", password: secret))
            #expect(try file.credentials(for: "a.test:5000") == nil)
            #expect(try file.store(password, for: "a.test:5000") == .file(path: folder + "/config.json"))
            #expect(try file.credentials(for: "a.test:5000") == password)
            #expect(try file.credentials(for: "a.test") == nil)
            let encoded = Data("anna:\(secret)".utf8).base64EncodedString()
            #expect(try text(folder) == "{\n\t\"auths\": {\n\t\t\"a.test:5000\": {\n\t\t\t\"auth\": \"\(encoded)\"\n\t\t}\n\t}\n}")
            let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/config.json")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let token = RegistryCredentials(.identityToken(user: "anna", token: "t"))
            _ = try file.store(token, for: "docker.io")
            #expect(try file.credentials(for: "docker.io") == token)
            #expect(try text(folder).contains("https://index.docker.io/v1/"))
            #expect(try file.servers() == ["a.test:5000", "https://index.docker.io/v1/"])
            #expect(try file.erase("docker.io"))
            #expect(try !file.erase("docker.io"))
            #expect(try file.servers() == ["a.test:5000"])
        }
    }

    @Test("What is not about credentials stays as it is, where it is")
    func others() throws {
        let before = #"""
            {
              "psFormat" : "table {{.ID}}",  "detachKeys":"ctrl-a",
              "auths": {"b.test": {"auth":"Yjpj", "email": "x"}, "a.test": {}},
              "HttpHeaders": { "X" : [1.50, {"é\u00e9": null}] }
            }
            """#
        try withFile(before) { file, folder in
            _ = try file.store(RegistryCredentials(.password(user: "u", password: "p")), for: "a.test")
            #expect(
                try text(folder) == """
                    {
                    \t"psFormat": "table {{.ID}}",
                    \t"detachKeys": "ctrl-a",
                    \t"auths": {
                    \t\t"b.test": {"auth":"Yjpj", "email": "x"},
                    \t\t"a.test": {
                    \t\t\t"auth": "dTpw"
                    \t\t}
                    \t},
                    \t"HttpHeaders": { "X" : [1.50, {"é\\u00e9": null}] }
                    }
                    """)
        }
    }

    @Test(
        "Old names mean the same registry",
        arguments: [
            ("https://a.test/v1/", "a.test"), ("http://a.test", "a.test"), ("a.test/v2/", "a.test"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io", "docker.io"), ("docker.io", "docker.io"),
        ])
    func names(key: String, registry: String) throws {
        try withFile(#"{"auths":{"\#(key)":{"auth":"YTpi"}}}"#) { file, folder in
            #expect(try file.credentials(for: registry) == RegistryCredentials(.password(user: "a", password: "b")))
            #expect(try file.credentials(for: "other.test") == nil)
            _ = try file.store(RegistryCredentials(.password(user: "c", password: "d")), for: registry)
            #expect(try file.servers().count == 1)
        }
    }

    @Test func linksAreFollowed() throws {
        try withFile(nil) { file, folder in
            try FileManager.default.createDirectory(atPath: folder + "/real", withIntermediateDirectories: true)
            try "{}".write(toFile: folder + "/real/file", atomically: false, encoding: .utf8)
            try FileManager.default.createSymbolicLink(atPath: folder + "/config.json", withDestinationPath: "real/file")
            _ = try file.store(RegistryCredentials(.password(user: "u", password: "p")), for: "a.test")
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/config.json") == "real/file")
            #expect(try String(contentsOfFile: folder + "/real/file", encoding: .utf8).contains("dTpw"))
        }
    }

    @Test func filesThatCannotBeRead() throws {
        for text in ["[]", "{", "{\"auths\": []}", "{\"auths\":{\"a.test\":{\"auth\":\"!\"}}}", "null"] {
            try withFile(text) { file, folder in
                #expect(code { _ = try file.credentials(for: "a.test") } == .invalid, "\(text)")
            }
        }
        try withFile("  \n") { file, _ throws in #expect(try file.credentials(for: "a.test") == nil) }
        try withFile(String(repeating: " ", count: CredentialFile.maximumByteCount + 1)) { file, _ in
            #expect(code { _ = try file.servers() } == .tooLarge)
        }
    }

    /// A helper that keeps what it is given in files beside it.
    private func install(_ name: String, _ folder: String, _ script: String? = nil) throws {
        let path = "\(folder)/docker-credential-\(name)"
        try
            (script ?? """
                #!/bin/sh
                PATH=/usr/bin:/bin
                echo "$1" >> "$DATA/calls"
                case "$1" in
                store) cat > "$DATA/kept" ;;
                get) cat > "$DATA/asked"; if [ -e "$DATA/kept" ]; then cat "$DATA/kept"; else echo "credentials not found in native keychain"; exit 1; fi ;;
                erase) cat > /dev/null; rm "$DATA/kept" ;;
                list) echo '{"a.test":"anna"}' ;;
                esac
                """).write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    @Test func helpers() throws {
        try withFile(#"{"credsStore":"all","credHelpers":{"b.test":"one"}}"#) { file, folder in
            try install("all", folder)
            let password = RegistryCredentials(.password(user: "anna", password: secret))
            #expect(try file.credentials(for: "a.test") == nil)
            #expect(try file.store(password, for: "a.test") == .helper("all"))
            #expect(try String(contentsOfFile: folder + "/asked", encoding: .utf8) == "a.test")
            #expect(try file.credentials(for: "a.test") == password)
            #expect(try !text(folder).contains("auth\""))
            #expect(try text(folder).contains(#""a.test": {}"#))
            #expect(try file.servers() == ["a.test", "b.test"])
            #expect(try file.erase("a.test"))
            #expect(try file.credentials(for: "a.test") == nil)
            #expect(try !text(folder).contains("a.test"))
            let token = RegistryCredentials(.identityToken(user: "anna", token: "t"))
            _ = try file.store(token, for: "docker.io")
            #expect(try String(contentsOfFile: folder + "/kept", encoding: .utf8).contains("<token>"))
            #expect(try file.credentials(for: "docker.io") == RegistryCredentials(.identityToken(user: "", token: "t")))
            #expect(try file.place(for: "b.test") == .helper("one"))
            #expect(code { _ = try file.credentials(for: "b.test") } == .helperMissing)
        }
    }

    @Test func helpersThatFail() throws {
        let scripts: [(String, CredentialError.Code)] = [
            ("#!/bin/sh\necho 'the keychain is locked'; exit 1", .helperFailed), ("#!/bin/sh\nexec /usr/bin/sleep 600", .timedOut),
            ("#!/bin/sh\nexec /bin/cat /dev/zero", .tooLarge), ("#!/bin/sh\necho nothing", .helperFailed), ("no program", .helperFailed),
        ]
        for (script, expected) in scripts {
            try withFile(#"{"credsStore":"x"}"#) { file, folder in
                try install("x", folder, script)
                var runner = HelperRunner(environment: ["PATH": folder])
                runner.milliseconds = 500
                let limited = CredentialFile(path: file.path, runner)
                #expect(code { _ = try limited.credentials(for: "a.test") } == expected, "\(script)")
            }
        }
        try withFile(#"{"credsStore":"../x"}"#) { file, _ in #expect(code { _ = try file.credentials(for: "a.test") } == .helperMissing) }
    }

    @Test("What a helper was given is in no error, even if it says it")
    func secrets() throws {
        try withFile(#"{"credsStore":"x"}"#) { file, folder in
            try install("x", folder, "#!/bin/sh\n/bin/cat; exit 1")
            do {
                _ = try file.store(RegistryCredentials(.password(user: "u", password: "hidden")), for: "a.test")
                Issue.record("nothing was thrown")
            } catch { #expect(!"\(error)".contains("hidden")) }
        }
    }
}
