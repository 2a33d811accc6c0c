import Berth
import BerthLinux
import Foundation
import Testing

extension Berth.Attachment {
    /// Everything until the end.
    func readAll() async throws -> (output: [UInt8], errors: [UInt8]) {
        var (output, errors): ([UInt8], [UInt8]) = ([], [])
        while let chunk = try await read() {
            switch chunk {
            case .output(let bytes): output += bytes
            case .errors(let bytes): errors += bytes
            }
        }
        return (output, errors)
    }

    /// Output until it has a text in it.
    func read(until text: String) async throws -> String {
        var output: [UInt8] = []
        while !String(decoding: output, as: UTF8.self).contains(text) {
            guard case .output(let bytes)? = try await read() else {
                Issue.record(
                    "the output ended without \(text.debugDescription): \(String(decoding: output, as: UTF8.self).debugDescription)")
                return ""
            }
            output += bytes
        }
        return String(decoding: output, as: UTF8.self)
    }
}

/// Attach, exec, logs, and what ends them: as Docker has them.
@Suite(.kernelTier, .serialized) struct StreamTests {
    private func text(_ container: Berth.Container, _ change: (inout LogOptions) -> Void = { _ in }) async throws -> [String] {
        var options = LogOptions()
        change(&options)
        var lines: [String] = []
        for try await line in try container.logs(options) { lines.append(line.text) }
        return lines
    }

    private func residentKibibytes(_ process: Int32) throws -> Int {
        let line = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8).split(separator: "\n").first {
            $0.hasPrefix("VmRSS:")
        }
        return try #require(line.flatMap { Int($0.drop { !$0.isNumber }.prefix { $0.isNumber }) })
    }

    private func parent(of process: Int32) throws -> Int32 {
        let line = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8).split(separator: "\n").first {
            $0.hasPrefix("PPid:")
        }
        return try #require(line.flatMap { Int32($0.drop { !$0.isNumber }) })
    }

    @Test func theKeysToLeaveLeaveAndTheTerminalLivesOn() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh"]) { ($0.terminal, $0.openStandardInput) = (true, true) })
        let first = try await container.attach(AttachOptions(input: true))
        try await container.start()
        #expect(try await first.write(Array("echo a$((1+1))\n".utf8)))
        _ = try await first.read(until: "a2\r\n")
        // Cut in the middle, and with something behind them that is for nobody.
        #expect(try await first.write([16]))
        #expect(try await !first.write([17] + Array("exit 9\n".utf8)))
        _ = try await first.readAll()

        let second = try await container.attach(AttachOptions(input: true, detachKeys: try DetachKeys(parsing: "x,y")))
        try await container.resize(rows: 33, columns: 111)
        #expect(try await second.write(Array("stty size; echo do''ne\n".utf8)))
        #expect(try await second.read(until: "done\r\n").contains("33 111\r\n"))
        #expect(try await !second.write(Array("xy".utf8)))
        #expect(try container.details().status == .running)

        let third = try await container.attach(AttachOptions(input: true))
        #expect(try await third.write(Array("exit 4\n".utf8)))
        #expect(try await container.wait().code == 4)
        await #expect { try await container.resize(rows: 1, columns: 1) } throws: { ($0 as? ContainerError)?.code == .conflict }
        try await scene.remove(with: engine)
    }

    /// A client that says it has no more closes an input that is for one client, and no other; one that vanishes closes none.
    @Test func halfCloseIsSaidAndAClientThatVanishesHasLeft() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let once = try await engine.containers.create(
            scene.configuration(["sh", "-c", "cat; echo end"]) { ($0.openStandardInput, $0.standardInputOnce) = (true, true) })
        let client = try await once.attach(AttachOptions(input: true))
        try await once.start()
        do {
            let vanishing = try await once.attach(AttachOptions(input: true))
            _ = try await vanishing.write(Array("one\n".utf8))
            #expect(try await vanishing.read() == .output(Array("one\n".utf8)))
            vanishing.detach()
        }
        _ = try await client.write(Array("two\n".utf8))
        try await client.closeInput()
        #expect(try await client.readAll().output == Array("one\ntwo\nend\n".utf8))

        let open = try await engine.containers.create(scene.configuration(["cat"]) { $0.openStandardInput = true })
        try await open.start()
        let leaving = try await open.attach(AttachOptions(input: true))
        try await leaving.closeInput()
        let staying = try await open.attach(AttachOptions(input: true))
        _ = try await staying.write(Array("still\n".utf8))
        #expect(try await staying.read() == .output(Array("still\n".utf8)))
        try await scene.remove(with: engine)
    }

    /// Without a reader a process waits, and memory does not grow; others who read get everything, and it goes on when the one has left.
    @Test func aClientThatDoesNotReadHoldsTheProcessBackUntilItLeaves() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end"]) { $0.logDriver = .none })
        let stuck = try await container.attach()
        let reading = try await container.attach()
        let errorsOnly = try await container.attach(AttachOptions(output: false, errors: true))
        try await container.start()
        let monitor = try parent(of: try #require(try container.details().processID))
        // As much as the sockets and the one buffer hold comes through, and then nothing: the process waits.
        var count = 0
        while count < 1 << 20, case .output(let bytes)? = try await reading.read() { count += bytes.count }
        #expect(try container.details().status == .running)
        #expect(try residentKibibytes(monitor) < 64 << 10)
        stuck.detach()
        while case .output(let bytes)? = try await reading.read() { count += bytes.count }
        #expect(count == 20_000_000 + 1 + 4)
        #expect(try await errorsOnly.read() == nil)
        #expect(try await container.wait().code == 0)
        try await scene.remove(with: engine)
    }

    /// Bytes that are no text reach a client as they are; in the log they are replaced, as with Docker.
    @Test func everyByteComesThrough() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["cat"]) { ($0.openStandardInput, $0.standardInputOnce) = (true, true) })
        let client = try await container.attach(AttachOptions(input: true))
        try await container.start()
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        async let read = client.readAll()
        _ = try await client.write(bytes)
        try await client.closeInput()
        #expect(try await read.output == bytes)
        try await scene.remove(with: engine)
    }

    @Test func longLinesComeInPiecesOfSixteenKibibytes() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; printf half; printf err >&2"]))
        try await container.start()
        _ = try await container.wait()
        var pieces: [(LogLine.Stream, Int, Bool)] = []
        for try await line in try container.logs() { pieces.append((line.stream, line.bytes.count, line.bytes.last == 10)) }
        let output = pieces.filter { $0.0 == .output }
        #expect(output.map(\.1) == [16384, 16384, 40001 - 32768, 4])
        #expect(output.map(\.2) == [false, false, true, false])
        #expect(pieces.filter { $0.0 == .errors }.map(\.1) == [3])
        try await scene.remove(with: engine)
    }

    /// A gibibyte with BERTH_LONG, else a part of it: complete in the log and at a client, and nothing grows.
    @Test func muchOutputIsCompleteAndMemoryStaysFlat() async throws {
        let isLong = ProcessInfo.processInfo.environment["BERTH_LONG"] != nil
        let total = isLong ? 1 << 30 : 8 << 20
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "yes 0123456789abcdef0123456789abcde | head -c \(total)"]))
        let client = try await container.attach()
        let before = try residentKibibytes(getpid())
        try await container.start()
        let monitor = try parent(of: try #require(try container.details().processID))
        let line = Array("0123456789abcdef0123456789abcde\n".utf8)
        let pattern = Array(repeating: line, count: 16 << 10).flatMap(\.self)
        var (count, isRight, most) = (0, true, (engine: 0, monitor: 0))
        while let chunk = try await client.read() {
            guard case .output(let bytes) = chunk else { continue }
            let start = count & 31
            if unsafe bytes.withUnsafeBytes({ found in
                unsafe pattern.withUnsafeBytes { unsafe memcmp(found.baseAddress!, $0.baseAddress! + start, found.count) }
            }) != 0 {
                isRight = false
            }
            if count >> 20 != (count + bytes.count) >> 20 {
                most.engine = max(most.engine, try residentKibibytes(getpid()))
                // It may have ended already, with the last of it in the socket.
                if let resident = try? residentKibibytes(monitor) { most.monitor = max(most.monitor, resident) }
            }
            count += bytes.count
        }
        #expect(count == total)
        #expect(isRight)
        #expect(most.monitor < 48 << 10, "KiB")
        #expect(most.engine - before < 64 << 10, "KiB")
        var (logged, isLogRight) = (0, true)
        let stream = try container.logs()
        while let lines = try await stream.nextBatch() {
            for found in lines {
                logged += found.bytes.count
                if found.bytes != line { isLogRight = false }
            }
        }
        #expect(logged == total)
        #expect(isLogRight)
        try await scene.remove(with: engine)
    }

    /// The log's disk is full: the process does not wait, and the log says how much it lacks once there is room, whether or not more comes.
    @Test func aLogWithoutRoomSaysWhatItLacks() async throws {
        let folder = "/var/tmp/berth-full-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try run("/bin/mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder)
        defer {
            _ = try? run("/bin/umount", "-l", folder)
            try? FileManager.default.removeItem(atPath: folder)
        }
        let scene = try await Scene(in: folder + "/scene", execRoot: "/var/tmp/berth-full-run-\(UUID().uuidString.prefix(8))")
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "echo first; read x; yes 0123456789 | head -c 1100000; echo; read x; echo last"]) {
                $0.openStandardInput = true
            })
        let client = try await container.attach(AttachOptions(input: true))
        try await container.start()
        _ = try await client.read(until: "first\n")
        // Everything that is left is taken.
        let filler = folder + "/filler"
        try #require(FileManager.default.createFile(atPath: filler, contents: nil))
        let file = try #require(FileHandle(forWritingAtPath: filler))
        for size in [1 << 20, 4096] { while (try? file.write(contentsOf: Data(count: size))) != nil {} }
        try file.close()

        _ = try await client.write(Array("go\n".utf8))
        var count = 0
        while count < 1_100_001, case .output(let bytes)? = try await client.read() { count += bytes.count }
        #expect(count == 1_100_001, "the process was not held up")
        try FileManager.default.removeItem(atPath: filler)
        try await until("the log to say what it lacks, though nothing more comes") {
            try await text(container).contains { $0.hasPrefix("[berth: ") }
        }
        _ = try await client.write(Array("go\n".utf8))
        _ = try await container.wait()
        let lines = try await text(container)
        #expect(lines.first == "first")
        #expect(lines.last == "last")
        let notices = lines.filter { $0.hasPrefix("[berth: ") }.map { $0.split(separator: " ") }
        let missing = try notices.map { words in (bytes: try #require(Int(words[1])), entries: try #require(Int(words[4]))) }
        let written = lines.filter { !$0.hasPrefix("[berth: ") }
        // What was written and what is said to be missing is all that there was.
        #expect(written.count + missing.reduce(0) { $0 + $1.entries } == 1 + 100_001 + 1)
        #expect(written.reduce(0) { $0 + $1.utf8.count + 1 } + missing.reduce(0) { $0 + $1.bytes } == 6 + 1_100_001 + 5)
        try await scene.remove(with: engine)
        try FileManager.default.removeItem(atPath: scene.execRoot)
    }

    @Test func logsOfSeveralRunsTailSinceUntilAndFollow() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "echo one; echo two >&2; read x; echo three"]) { $0.openStandardInput = true })
        #expect(try await text(container) == [])
        #expect(try await text(container) { $0.follows = true } == [], "it does not run: nothing is waited for")

        // Whoever follows from before the start's end sees the whole run and ends with it.
        try await container.start()
        let followed = Task { try await self.text(container) { $0.follows = true } }
        let tail = Task { try await self.text(container) { ($0.follows, $0.tail) = (true, 0) } }
        try await until("two lines") { try await text(container).count == 2 }
        let now = Timestamp.now
        let client = try await container.attach(AttachOptions(input: true))
        _ = try await client.write(Array("x\n".utf8))
        _ = try await container.wait()
        #expect(try await Set(followed.value) == ["one", "two", "three"])
        #expect(try await Set(tail.value).subtracting(["one", "two", "three"]) == [])
        #expect(try await text(container) { $0.since = now } == ["three"])
        #expect(try await Set(text(container) { $0.until = now }) == ["one", "two"])
        #expect(try await text(container) { $0.errors = false } == ["one", "three"])
        #expect(try await text(container) { $0.output = false } == ["two"])

        // The next run goes on in the same log.
        try await container.start()
        let again = try await container.attach(AttachOptions(input: true))
        _ = try await again.write(Array("x\n".utf8))
        _ = try await container.wait()
        #expect(try await text(container).count == 6)
        for (count, expected) in [(0, 0), (1, 1), (4, 4), (100, 6)] {
            #expect(try await text(container) { $0.tail = count }.count == expected)
        }
        #expect(try await text(container) { $0.tail = 1 } == ["three"])
        try await scene.remove(with: engine)
    }

    /// A log that grows faster than it is read has an end all the same, for those who do not follow.
    @Test func readingAGrowingLogEnds() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sh", "-c", "while :; do seq 1 1000; done"]))
        try await container.start()
        try await until("some of it") { try await text(container) { $0.tail = 1 }.count == 1 }
        #expect(try await !text(container).isEmpty)
        try await scene.remove(with: engine)
    }

    /// Following can be given up at any time.
    @Test func followingCanBeCancelled() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
        try await container.start()
        let following = Task { try await self.text(container) { $0.follows = true } }
        following.cancel()
        await #expect { _ = try await following.value } throws: { ($0 as? ContainerError)?.code == .cancelled }
        try await scene.remove(with: engine)
    }

    @Test func executionsEndWithTheirContainerAndNotAfterIt() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
        try await container.start()
        let long = try await container.makeExecution(ExecutionConfiguration(command: ["sleep", "1000"]))
        _ = try await long.start()
        let prepared = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
        let before = try await container.makeExecution(ExecutionConfiguration(command: ["sh", "-c", "exit 3"]))
        _ = try await before.start()
        #expect(try await before.wait() == 3)
        await #expect { _ = try await before.start() } throws: { ($0 as? ContainerError)?.code == .conflict }
        let missing = try await container.makeExecution(ExecutionConfiguration(command: ["not-there"]))
        await #expect { _ = try await missing.start() } throws: { ($0 as? ContainerError)?.code == .commandNotFound }
        #expect(missing.phase == .ended(code: 127))

        try await container.kill()
        #expect(try await long.wait() == 137)
        await #expect { _ = try await prepared.start() } throws: { ($0 as? ContainerError)?.code == .conflict }
        await #expect {
            _ = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
        } throws: {
            ($0 as? ContainerError)?.code == .conflict
        }
        try await scene.remove(with: engine)
    }

    /// What an execution leaves behind in its container does not keep its client waiting.
    @Test func anExecutionEndsThoughItsChildrenHoldItsOutput() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
        try await container.start()
        var configuration = ExecutionConfiguration(command: ["sh", "-c", "sleep 1000 & echo out; exit 5"])
        configuration.attachesOutput = true
        let execution = try await container.makeExecution(configuration)
        let streams = try await execution.start()
        #expect(try await streams.readAll().output == Array("out\n".utf8))
        #expect(try await execution.wait() == 5)
        try await scene.remove(with: engine)
    }

    @Test func aStopKillsWhatDoesNotListenAndEverySignalArrives() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let deaf = try await engine.containers.create(scene.configuration(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]))
        try await deaf.start()
        try await deaf.stop(timeoutSeconds: 1)
        #expect(try deaf.details().lastExit?.code == 137)
        await #expect { try await deaf.stop() } throws: { ($0 as? ContainerError)?.code == .notModified }
        await #expect { try await deaf.kill() } throws: { ($0 as? ContainerError)?.code == .conflict }

        let names = ["HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CHLD", "CONT", "URG", "WINCH", "IO", "PWR"]
        let traps = names.map { "trap 'echo got \($0)' \($0)" }.joined(separator: "; ")
        let listening = try await engine.containers.create(
            scene.configuration(["sh", "-c", "\(traps); echo ready; while :; do read x < /dev/zero & wait $!; done"]))
        let client = try await listening.attach()
        try await listening.start()
        _ = try await client.read(until: "ready\n")
        for name in names where name != "CHLD" {
            try await listening.kill(signal: name)
            _ = try await client.read(until: "got \(name)\n")
        }
        await #expect { try await listening.kill(signal: "NONSENSE") } throws: { ($0 as? ContainerError)?.code == .invalid }
        try await listening.kill(signal: "SIGKILL")
        #expect(try listening.details().lastExit?.code == 137)
        try await scene.remove(with: engine)
    }

    /// Whoever asks at the same moment gets an answer that goes with what then is.
    @Test func startsAndRemovalsAtOnce() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        for _ in 0..<10 {
            let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
            let starts = await withTaskGroup(of: ContainerError.Code?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        do { try await container.start() } catch { return (error as? ContainerError)?.code }
                        return nil
                    }
                }
                return await group.reduce(into: [ContainerError.Code?]()) { $0.append($1) }
            }
            #expect(starts.count { $0 == nil } == 1)
            #expect(starts.allSatisfy { $0 == nil || $0 == .notModified })
            try await container.kill()

            let actions = [
                Task { try await container.start() }, Task { try await container.kill() }, Task { try await container.remove(force: true) },
            ]
            for action in actions { _ = await action.result }
            // The removal is what stays, whatever the others met.
            try await actions[2].value
            #expect { try container.details() } throws: { ($0 as? ContainerError)?.code == .notFound }
        }
        try await until("the directories to have followed") {
            try FileManager.default.contentsOfDirectory(atPath: scene.root + "/containers").filter { $0 != "lock" } == []
        }
        try await scene.remove(with: engine)
    }

    @Test func waitsAreForWhatTheySay() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sh", "-c", "exit 6"]))
        #expect(try await container.wait(.notRunning).code == 0, "it has never run")
        let (next, removed) = (try container.waiter(.nextExit), try container.waiter(.removed))
        try await container.start()
        #expect(try await next.value().code == 6)
        #expect(try await container.wait(.notRunning).code == 6)
        let second = try container.waiter(.nextExit)
        let waiting = Task { try await second.value() }
        waiting.cancel()
        await #expect { _ = try await waiting.value } throws: { ($0 as? ContainerError)?.code == .cancelled }
        try await container.remove()
        #expect(try await removed.value().code == 6)

        let byItself = try await engine.containers.create(scene.configuration(["sh", "-c", "exit 8"]) { $0.removesItself = true })
        let gone = try byItself.waiter(.removed)
        try await byItself.start()
        #expect(try await gone.value().code == 8)
        #expect { try byItself.details() } throws: { ($0 as? ContainerError)?.code == .notFound }
        try await scene.remove(with: engine)
    }

    /// Clients that have come and gone before the start take no place from others.
    @Test func clientsThatLeftBeforeTheStartAreForgotten() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["echo", "hi"]))
        for index in 0..<200 {
            let attachment = try await container.attach()
            if index % 2 == 0 { attachment.detach() }
        }
        let staying = try await container.attach()
        try await container.start()
        #expect(try await staying.readAll().output == Array("hi\n".utf8))
        try await scene.remove(with: engine)
    }
}
