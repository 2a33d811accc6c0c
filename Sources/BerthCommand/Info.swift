internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth info`.
struct Info: Verb {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Display system-wide information", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?

    func perform(_ session: Session) throws -> Int32 {
        let info = try session.daemon().call("GET", "/info")
        if let format {
            try Output.line(format == "json" ? info.json() : try GoTemplate(parsing: format).rendered(info))
            return 0
        }
        try Output.text(Self.text(info))
        return 0
    }

    private static func text(_ info: JSONTree) -> String {
        func number(_ name: String) -> String { String(info[name]?.integer ?? 0) }
        var result = "Client:\n Version:    \(Version.own)\n\nServer:\n"
        result += " Containers: \(number("Containers"))\n  Running: \(number("ContainersRunning"))\n"
        result += "  Paused: \(number("ContainersPaused"))\n  Stopped: \(number("ContainersStopped"))\n Images: \(number("Images"))\n"
        func line(_ title: String, _ name: String) {
            if let value = info[name]?.text, !value.isEmpty { result += " \(title): \(value)\n" }
        }
        line("Server Version", "ServerVersion")
        line("Storage Driver", "Driver")
        for pair in info["DriverStatus"]?.elements ?? [] {
            let words = pair.elements.compactMap(\.text)
            if words.count == 2 { result += "  \(words[0]): \(words[1])\n" }
        }
        line("Logging Driver", "LoggingDriver")
        line("Cgroup Driver", "CgroupDriver")
        line("Cgroup Version", "CgroupVersion")
        let networks = (info["Plugins"]?["Network"]?.elements ?? []).compactMap(\.text)
        if !networks.isEmpty { result += " Plugins:\n  Network: \(networks.joined(separator: " "))\n" }
        let described = (info["CDISpecDirs"]?.elements ?? []).compactMap(\.text)
        if !described.isEmpty { result += " CDI spec directories:\n" + described.map { "  \($0)\n" }.joined() }
        let devices = info["DiscoveredDevices"]?.elements ?? []
        if !devices.isEmpty {
            result += " Discovered Devices:\n" + devices.map { "  \($0["Source"]?.text ?? ""): \($0["ID"]?.text ?? "")\n" }.joined()
        }
        let security = (info["SecurityOptions"]?.elements ?? []).compactMap(\.text)
        if !security.isEmpty { result += " Security Options:\n" + security.map(Self.securityOption).joined() }
        line("Kernel Version", "KernelVersion")
        line("Operating System", "OperatingSystem")
        line("OSType", "OSType")
        line("Architecture", "Architecture")
        result += " CPUs: \(number("NCPU"))\n Total Memory: \(HumanText.binarySize(info["MemTotal"]?.integer ?? 0))\n"
        line("Name", "Name")
        line("ID", "ID")
        line("Docker Root Dir", "DockerRootDir")
        result += " Debug Mode: \(info["Debug"]?.boolean ?? false)\n"
        let warnings = (info["Warnings"]?.elements ?? []).compactMap(\.text)
        return result + (warnings.isEmpty ? "" : "\n" + warnings.map { "\($0)\n" }.joined())
    }

    /// `name=seccomp,profile=builtin`, as Docker's client shows it.
    private static func securityOption(_ text: String) -> String {
        var lines = ""
        for part in text.split(separator: ",") {
            if part.hasPrefix("name=") { lines += "  \(part.dropFirst("name=".count))\n" }
            if part.hasPrefix("profile=") { lines += "   Profile: \(part.dropFirst("profile=".count))\n" }
        }
        return lines
    }
}

/// `berth version`.
struct ShowVersion: Verb {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the version information of this program and of the daemon", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?

    func perform(_ session: Session) throws -> Int32 {
        // Of a daemon that does not answer, this program's part is told all the same.
        var server: JSONTree?
        var failure: (any Error)?
        var spoken = Daemon.newestVersion
        do {
            let daemon = try session.daemon()
            spoken = try daemon.version()
            server = try daemon.call("GET", "/version")
        } catch { failure = error }
        let client: [(String, JSONTree?)] = [
            ("Version", .string(Version.own)), ("ApiVersion", .string(spoken)), ("DefaultAPIVersion", .string(Daemon.newestVersion)),
            ("Os", .string("linux")), ("Arch", .string(Self.architecture)),
        ]
        let both: [(String, JSONTree?)] = [("Client", .object(client)), ("Server", server ?? .null)]
        let tree = JSONTree.object(both)
        if let format {
            try Output.line(format == "json" ? tree.json() : try GoTemplate(parsing: format).rendered(tree))
        } else {
            try Output.text(Self.text(client: tree["Client"] ?? .null, server: server))
        }
        if let failure { throw failure }
        return 0
    }

    private static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    private static func text(client: JSONTree, server: JSONTree?) -> String {
        func line(_ title: String, _ value: String, _ indentation: Int = 1) -> String {
            let head = String(repeating: " ", count: indentation) + "\(title):"
            return head + String(repeating: " ", count: max(1, 19 + indentation - 1 - head.count)) + value + "\n"
        }
        func text(_ tree: JSONTree, _ name: String) -> String { tree[name]?.text ?? "" }
        var result = "Client: Berth\n" + line("Version", text(client, "Version")) + line("API version", text(client, "ApiVersion"))
        result += line("OS/Arch", "\(text(client, "Os"))/\(text(client, "Arch"))")
        guard let server else { return result }
        let platform = server["Platform"]?["Name"]?.text ?? ""
        result += "\nServer:\(platform.isEmpty ? "" : " \(platform)")\n"
        let components = server["Components"]?.elements ?? []
        if components.isEmpty {
            result += " Engine:\n" + line("Version", text(server, "Version"), 2)
            result += line("API version", "\(text(server, "ApiVersion")) (minimum version \(text(server, "MinAPIVersion")))", 2)
            return result + line("OS/Arch", "\(text(server, "Os"))/\(text(server, "Arch"))", 2)
        }
        for component in components {
            result += " \(text(component, "Name")):\n" + line("Version", text(component, "Version"), 2)
            let details = component["Details"] ?? .null
            if let version = details["ApiVersion"]?.text {
                result += line("API version", "\(version) (minimum version \(text(details, "MinAPIVersion")))", 2)
            }
            if let commit = details["GitCommit"]?.text, !commit.isEmpty { result += line("Git commit", commit, 2) }
            if let system = details["Os"]?.text { result += line("OS/Arch", "\(system)/\(text(details, "Arch"))", 2) }
        }
        return result
    }
}
