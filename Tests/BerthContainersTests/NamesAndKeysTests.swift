import Testing

@testable import BerthContainers

@Suite("The keys to leave with")
struct DetachKeysTests {
    @Test(
        "Docker's texts for them",
        arguments: [
            ("", [16, 17]), ("ctrl-p,ctrl-q", [16, 17]), ("a", [97]), ("ctrl-@,x", [0, 120]), ("ctrl-a,ctrl-z", [1, 26]),
            ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [27, 28, 29, 30, 31]), ("DEL", [127]), ("A, ,~", [65, 32, 126]),
        ] as [(String, [UInt8])])
    func parsing(text: String, bytes: [UInt8]) throws {
        let keys = try DetachKeys(parsing: text)
        #expect(keys.sequence == bytes)
        #expect(try DetachKeys(parsing: keys.description) == keys)
    }

    @Test("What is no key is named", arguments: [",", "a,", ",a", "ctrl-", "ctrl-1", "ctrl-pp", "alt-a", "ab", "é", "ctrl-é", "del"])
    func refused(text: String) {
        #expect {
            _ = try DetachKeys(parsing: text)
        } throws: {
            ($0 as? ContainerError)?.code == .invalid && "\($0)".contains("Invalid detach keys (\(text))")
        }
    }

    @Test("There is a bound, and it is named")
    func bound() throws {
        let most = Array(repeating: "a", count: DetachKeys.maximumCount)
        #expect(try DetachKeys(parsing: most.joined(separator: ",")).sequence.count == 64)
        #expect { _ = try DetachKeys(parsing: (most + ["a"]).joined(separator: ",")) } throws: {
            "\($0)".contains("65 keys, and the bound is 64")
        }
    }

    /// All at once, by looking at the whole: what comes before the first occurrence, and whether there is one.
    private func reference(_ sequence: [UInt8], _ input: [UInt8]) -> (out: [UInt8], held: [UInt8], isComplete: Bool) {
        if input.count >= sequence.count {
            for start in 0...(input.count - sequence.count) where input[start..<start + sequence.count].elementsEqual(sequence) {
                return (Array(input[..<start]), [], true)
            }
        }
        let held = (0..<min(sequence.count, input.count + 1)).last { input.suffix($0).elementsEqual(sequence.prefix($0)) } ?? 0
        return (Array(input.dropLast(held)), Array(input.suffix(held)), false)
    }

    @Test("Wherever what is typed is cut, the same is sent on, the same is held back, and the keys are found", arguments: 1...20)
    func cuts(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        // Two letters: sequences overlap themselves, and beginnings of them are everywhere.
        func letters(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &random)).map { _ in Bool.random(using: &random) ? 97 : 98 }
        }
        for _ in 0..<500 {
            let sequence = letters(1...6)
            let keys = try DetachKeys(parsing: sequence.map { $0 == 97 ? "a" : "b" }.joined(separator: ","))
            let input = letters(0...24)
            let expected = reference(sequence, input)
            var matcher = DetachKeys.Matcher(keys)
            var (out, isComplete, position) = ([UInt8](), false, 0)
            while position < input.count, !isComplete {
                let end = Int.random(in: position + 1...input.count, using: &random)
                let piece = matcher.take(input[position..<end])
                out += piece.forContainer
                isComplete = piece.isComplete
                position = end
            }
            #expect(out == expected.out && isComplete == expected.isComplete, "\(sequence) in \(input)")
            let (held, nothing) = (matcher.finish(), matcher.finish())
            if !isComplete { #expect(held == expected.held, "\(sequence) in \(input)") }
            #expect(nothing == [])
        }
    }
}

@Suite("Signals")
struct SignalNumberTests {
    @Test(
        "What Docker's users write",
        arguments: [
            ("KILL", 9), ("SIGKILL", 9), ("sigkill", 9), ("kill", 9), ("9", 9), ("09", 9), ("1", 1), ("64", 64), ("SIGUSR1", 10),
            ("CHLD", 17), ("CLD", 17),
            ("IOT", 6), ("POLL", 29), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+15", 49), ("RTMAX-14", 50), ("RTMAX-1", 63), ("RTMAX", 64),
            ("WINCH", 28),
        ] as [(String, Int32)])
    func parsing(text: String, number: Int32) throws {
        #expect(try SignalNumber(parsing: text).rawValue == number)
    }

    @Test(
        "What is none is named",
        arguments: [
            "", "0", "-9", "65", "99999999999", "SIG", "SIGSIGKILL", "KILLER", "9x", " 9", "RTMIN+0", "RTMIN+16", "RTMIN++3", "RTMIN+",
            "RTMIN-1", "RTMAX-0", "RTMAX-15",
            "RTMAX--1", "RTMAX+1", "RTMIN+03", "ＫILL",
        ])
    func refused(text: String) {
        #expect { _ = try SignalNumber(parsing: text) } throws: {
            ($0 as? ContainerError)?.code == .invalid && "\($0)" == "Invalid signal: \(text)"
        }
    }
}

@Suite("Names")
struct ContainerNameTests {
    @Test(
        "What is one",
        arguments: [
            ("ab", "ab"), ("/ab", "ab"), ("A1_.-", "A1_.-"), ("00", "00"),
            (String(repeating: "x", count: 255), String(repeating: "x", count: 255)),
        ])
    func valid(text: String, name: String) throws {
        #expect(try ContainerName.checked(text) == name)
    }

    @Test(
        "What is none",
        arguments: [
            "", "/", "a", "/a", "//ab", "-ab", "_ab", ".ab", "a b", "ab\n", "a/b", "..", "../x", "é1", "aé", "a\u{0}b", "ab:c",
            String(repeating: "x", count: 256),
        ])
    func refused(text: String) {
        #expect { _ = try ContainerName.checked(text) } throws: { ($0 as? ContainerError)?.code == .invalid }
    }

    @Test("What the engine makes up is always one, and seldom the same")
    func suggestions() throws {
        var random = SeededGenerator(state: 1)
        let names = (0..<64).map { ContainerName.suggestion($0, using: &random) }
        for name in names { #expect(try ContainerName.checked(name) == name) }
        #expect(Set(names).count > 55)
        for words in [ContainerName.adjectives, ContainerName.surnames] { #expect(Set(words).count == words.count) }
    }
}
