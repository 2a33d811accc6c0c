internal import BerthCommandLine
internal import BerthLinux
internal import Glibc

/// The line that makes a container, in the user's editor.
enum LineEditor {
    /// - Returns: the words that the user has left there, without the program's name and `run`.
    static func edited(_ line: ContainerLine, of name: String) throws(Failure) -> [String] {
        guard let editor = Surroundings.variable("VISUAL") ?? Surroundings.variable("EDITOR") else {
            throw Failure(
                "Say what is to be otherwise, or set VISUAL or EDITOR to an editor for the container's line.\nSee 'berth edit --help'.")
        }
        let words = line.flagWords + [RunLine.line([line.image] + line.command)]
        let text = """
            # The line that makes the container \(VisibleText.of(name)) again. It becomes what stands here when the editor ends; if nothing is changed, nothing is done.
            berth run \\
              \(line.flagWords.map { RunLine.line([$0]) }.joined(separator: " \\\n  "))\(line.flagWords.isEmpty ? "" : " \\\n  ")\(words.last ?? "")

            """
        var path = Array(((Surroundings.variable("TMPDIR") ?? "/tmp") + "/berth-edit-XXXXXX").utf8) + [0]
        let descriptor = unsafe path.withUnsafeMutableBytes { unsafe mkstemp($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
        guard descriptor >= 0 else { throw Failure("a file for the editor cannot be made: \(Errno(rawValue: errno))") }
        let file = String(decoding: path.dropLast(), as: UTF8.self)
        defer { unsafe unlink(file) }
        defer { close(descriptor) }
        try Output.write(Array(text.utf8)[...], to: descriptor)
        // The variable holds a command, as everywhere.
        let status = unsafe system("\(editor) \(RunLine.line([file]))")
        guard status == 0 else { throw Failure("'\(editor)' did not end well: nothing is changed") }
        let written: [UInt8]
        do throws(Errno) { written = try HostFile.read(file, limit: 1 << 20) } catch {
            throw Failure("what the editor has written cannot be read: \(error)")
        }
        return try self.words(of: String(decoding: written, as: UTF8.self))
    }

    private static func words(of text: String) throws(Failure) -> [String] {
        let words: [String]
        do throws(ValueMistake) { words = try ShellWords.of(text) } catch { throw Failure("the line cannot be read: \(error.description)") }
        guard words.starts(with: ["berth", "run"]) else { throw Failure("the line must begin with 'berth run': nothing is changed") }
        return Array(words.dropFirst(2))
    }
}
