public import BerthClient

/// The command line that makes a container again, by what the daemon says of it and of its image.
public enum RunLine {
    /// The words after `berth`, `run` or `create` the first. What is as the image says, or as it is by default, is not repeated.
    ///
    /// - Parameters:
    ///   - container: an inspection's answer.
    ///   - image: that of its image; `nil` where that is gone: then all is said.
    public static func words(_ container: JSONTree, image: JSONTree?) -> [String] {
        var run = RunWords(container, image)
        run.addManner()
        run.addNetworks()
        run.addMounts()
        run.addSurroundings()
        run.addNamespaces()
        run.addRights()
        run.addDevices()
        run.addLimits()
        run.addHealth()
        run.addEnd()
        run.addCommand()
        return run.words
    }

    /// The words as a line that a shell takes apart again.
    public static func line(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    private static func quoted(_ word: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%".unicodeScalars)
        if !word.isEmpty, word.unicodeScalars.allSatisfy(plain.contains) { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

/// The words so far, and what is said of the container.
struct RunWords {
    private(set) var words: [String] = []
    let container: JSONTree
    let config: JSONTree?
    let host: JSONTree?
    /// The image's configuration.
    let own: JSONTree?

    init(_ container: JSONTree, _ image: JSONTree?) {
        (self.container, config, host, own) = (container, container["Config"], container["HostConfig"], image?["Config"])
    }

    func text(_ tree: JSONTree?, _ name: String) -> String { tree?[name]?.text ?? "" }
    func truth(_ tree: JSONTree?, _ name: String) -> Bool { tree?[name]?.boolean ?? false }
    func number(_ name: String) -> Int64 { host?[name]?.integer ?? 0 }
    func texts(_ tree: JSONTree?, _ name: String) -> [String] { (tree?[name]?.elements ?? []).compactMap(\.text) }
    func pairs(_ tree: JSONTree?, _ name: String) -> [(name: String, value: String)] {
        (tree?[name]?.members ?? []).map { ($0.name, $0.value.text ?? "") }.sorted { $0.name < $1.name }
    }

    mutating func add(_ more: String...) { words += more }
    mutating func flag(_ name: String, _ value: String) { if !value.isEmpty { words += ["--\(name)", value] } }
    mutating func flags(_ name: String, _ values: [String]) { for value in values { words += ["--\(name)", value] } }

    // MARK: The parts

    fileprivate mutating func addManner() {
        let attaches = ["AttachStdout", "AttachStderr", "AttachStdin"].contains { truth(config, $0) }
        if !attaches { add("-d") }
        if truth(config, "OpenStdin") { add("-i") }
        if truth(config, "Tty") { add("-t") }
        flag("name", String(text(container, "Name").drop { $0 == "/" }))
        if truth(host, "AutoRemove") { add("--rm") }
        if truth(host, "Init") { add("--init") }
        let restart = host?["RestartPolicy"]
        guard !["", "no"].contains(text(restart, "Name")) else { return }
        let count = restart?["MaximumRetryCount"]?.integer ?? 0
        flag("restart", text(restart, "Name") + (count > 0 ? ":\(count)" : ""))
    }

    fileprivate mutating func addSurroundings() {
        if number("ShmSize") != 64 << 20, number("ShmSize") > 0 { flag("shm-size", String(number("ShmSize"))) }
        if truth(host, "ReadonlyRootfs") { add("--read-only") }
        let given = Set(texts(own, "Env"))
        flags("env", texts(config, "Env").filter { !given.contains($0) })
        let labels = own?["Labels"]
        flags("label", pairs(config, "Labels").filter { labels?[$0.name]?.text != $0.value }.map { "\($0.name)=\($0.value)" })
        flags("annotation", pairs(host, "Annotations").map { "\($0.name)=\($0.value)" })
    }

    fileprivate mutating func addEnd() {
        if text(config, "StopSignal") != text(own, "StopSignal") { flag("stop-signal", text(config, "StopSignal")) }
        if let seconds = config?["StopTimeout"]?.integer { flag("stop-timeout", String(seconds)) }
        let log = host?["LogConfig"]
        if !["", "json-file"].contains(text(log, "Type")) { flag("log-driver", text(log, "Type")) }
        flags("log-opt", pairs(log, "Config").map { "\($0.name)=\($0.value)" })
    }

    fileprivate mutating func addCommand() {
        let entrypoint = texts(config, "Entrypoint")
        let (isOwnEntry, command) = (entrypoint == texts(own, "Entrypoint"), texts(config, "Cmd"))
        if !isOwnEntry { add("--entrypoint", entrypoint.first ?? "") }
        add(text(config, "Image"))
        if !isOwnEntry { words += entrypoint.dropFirst() + command } else if command != texts(own, "Cmd") { words += command }
    }
}
