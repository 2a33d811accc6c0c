public import BerthClient

/// The command line that makes a container again, by what the daemon says of it and of its image.
public enum RunLine {
    /// The words after `berth`, `run` or `create` the first. What is as the image says, or as it is by default, is not repeated.
    ///
    /// - Parameters:
    ///   - container: an inspection's answer.
    ///   - image: that of its image; `nil` where that is gone: then all is said.
    public static func words(_ container: JSONTree, image: JSONTree?) -> [String] {
        let (config, host) = (container["Config"], container["HostConfig"])
        let own = image?["Config"]
        func text(_ tree: JSONTree?, _ name: String) -> String { tree?[name]?.text ?? "" }
        func truth(_ tree: JSONTree?, _ name: String) -> Bool { tree?[name]?.boolean ?? false }
        func number(_ name: String) -> Int64 { host?[name]?.integer ?? 0 }
        func texts(_ tree: JSONTree?, _ name: String) -> [String] { (tree?[name]?.elements ?? []).compactMap(\.text) }
        var words: [String] = []
        func flag(_ name: String, _ value: String?) { if let value, !value.isEmpty { words += ["--\(name)", value] } }
        func flags(_ name: String, _ values: [String]) { for value in values { words += ["--\(name)", value] } }

        let attaches = truth(config, "AttachStdout") || truth(config, "AttachStderr") || truth(config, "AttachStdin")
        if !attaches { words.append("-d") }
        if truth(config, "OpenStdin") { words.append("-i") }
        if truth(config, "Tty") { words.append("-t") }
        flag("name", String(text(container, "Name").drop { $0 == "/" }))
        if truth(host, "AutoRemove") { words.append("--rm") }
        let restart = host?["RestartPolicy"]
        if !["", "no"].contains(text(restart, "Name")) {
            let count = restart?["MaximumRetryCount"]?.integer ?? 0
            flag("restart", text(restart, "Name") + (count > 0 ? ":\(count)" : ""))
        }

        // What it is to the network.
        let network = text(host, "NetworkMode")
        if !["default", "bridge", ""].contains(network) { flag("network", network) }
        let id = text(container, "Id")
        if text(config, "Hostname") != id.prefix(12), network != "host", !network.hasPrefix("container:") {
            flag("hostname", text(config, "Hostname"))
        }
        flag("domainname", text(config, "Domainname"))
        for binding in (host?["PortBindings"]?.members ?? []).sorted(by: { $0.name < $1.name }) {
            for place in binding.value.elements {
                let address = text(place, "HostIp")
                let shown = address.contains(":") ? "[\(address)]" : address
                let port = text(place, "HostPort")
                words += ["-p", (shown.isEmpty ? "" : shown + ":") + (port.isEmpty && shown.isEmpty ? "" : port + ":") + binding.name]
            }
        }
        if truth(host, "PublishAllPorts") { words.append("-P") }
        let exposed = Set((own?["ExposedPorts"]?.members ?? []).map(\.name)).union((host?["PortBindings"]?.members ?? []).map(\.name))
        flags("expose", (config?["ExposedPorts"]?.members ?? []).map(\.name).filter { !exposed.contains($0) }.sorted())
        for (name, key) in [("dns", "Dns"), ("dns-option", "DnsOptions"), ("dns-search", "DnsSearch"), ("add-host", "ExtraHosts")] {
            flags(name, texts(host, key))
        }

        // What it finds.
        flags("volume", texts(host, "Binds"))
        for mount in host?["Mounts"]?.elements ?? [] {
            var parts = ["type=\(text(mount, "Type"))", "source=\(text(mount, "Source"))", "target=\(text(mount, "Target"))"]
            if truth(mount, "ReadOnly") { parts.append("readonly") }
            let propagation = text(mount["BindOptions"], "Propagation")
            if !["", "rprivate"].contains(propagation) { parts.append("bind-propagation=\(propagation)") }
            flag("mount", parts.filter { !$0.hasSuffix("=") }.joined(separator: ","))
        }
        // Where the settings do not tell of mounts, what is mounted does.
        let bound = Set(texts(host, "Binds").compactMap { $0.split(separator: ":").dropFirst().first.map(String.init) })
        if (host?["Mounts"]?.elements ?? []).isEmpty {
            for mount in container["Mounts"]?.elements ?? [] {
                guard text(mount, "Type") == "bind", !bound.contains(text(mount, "Destination")) else { continue }
                var parts = ["type=bind", "source=\(text(mount, "Source"))", "target=\(text(mount, "Destination"))"]
                if !truth(mount, "RW") { parts.append("readonly") }
                let propagation = text(mount, "Propagation")
                if !["", "rprivate"].contains(propagation) { parts.append("bind-propagation=\(propagation)") }
                flag("mount", parts.joined(separator: ","))
            }
        }
        for (name, options) in (host?["Tmpfs"]?.members ?? []).map({ ($0.name, $0.value.text ?? "") }) {
            flag("tmpfs", options.isEmpty ? name : "\(name):\(options)")
        }
        if number("ShmSize") != 64 << 20, number("ShmSize") > 0 { flag("shm-size", String(number("ShmSize"))) }
        if truth(host, "ReadonlyRootfs") { words.append("--read-only") }
        let given = Set(texts(own, "Env"))
        flags("env", texts(config, "Env").filter { !given.contains($0) })
        let labels = own?["Labels"]
        for label in (config?["Labels"]?.members ?? []).sorted(by: { $0.name < $1.name })
        where labels?[label.name]?.text != label.value.text {
            flag("label", "\(label.name)=\(label.value.text ?? "")")
        }

        // What it may.
        if text(config, "User") != text(own, "User") { flag("user", text(config, "User")) }
        if text(config, "WorkingDir") != text(own, "WorkingDir") { flag("workdir", text(config, "WorkingDir")) }
        if truth(host, "Privileged") { words.append("--privileged") }
        flags("cap-add", texts(host, "CapAdd"))
        flags("cap-drop", texts(host, "CapDrop"))
        flags("security-opt", texts(host, "SecurityOpt"))
        for (name, key) in [
            ("memory", "Memory"), ("memory-reservation", "MemoryReservation"), ("memory-swap", "MemorySwap"), ("cpu-shares", "CpuShares"),
            ("cpu-period", "CpuPeriod"), ("cpu-quota", "CpuQuota"), ("pids-limit", "PidsLimit"),
        ] where number(key) != 0 {
            // What is twice the memory is what there is without a word.
            if key == "MemorySwap", number(key) == 2 * number("Memory") { continue }
            flag(name, String(number(key)))
        }
        if number("NanoCpus") > 0 {
            let (whole, rest) = (number("NanoCpus") / 1_000_000_000, number("NanoCpus") % 1_000_000_000)
            var digits = String(repeating: "0", count: 9 - String(rest).count) + String(rest)
            while digits.last == "0" { digits.removeLast() }
            flag("cpus", digits.isEmpty ? String(whole) : "\(whole).\(digits)")
        }
        flag("cpuset-cpus", text(host, "CpusetCpus"))
        flag("cpuset-mems", text(host, "CpusetMems"))
        if truth(host, "OomKillDisable") { words.append("--oom-kill-disable") }
        for limit in host?["Ulimits"]?.elements ?? [] {
            flag("ulimit", "\(text(limit, "Name"))=\(limit["Soft"]?.integer ?? 0):\(limit["Hard"]?.integer ?? 0)")
        }

        // How it ends, and what is kept of what it says.
        if text(config, "StopSignal") != text(own, "StopSignal") { flag("stop-signal", text(config, "StopSignal")) }
        if let seconds = config?["StopTimeout"]?.integer { flag("stop-timeout", String(seconds)) }
        let log = host?["LogConfig"]
        if !["", "json-file"].contains(text(log, "Type")) { flag("log-driver", text(log, "Type")) }
        flags("log-opt", (log?["Config"]?.members ?? []).map { "\($0.name)=\($0.value.text ?? "")" }.sorted())

        // What it runs.
        let entrypoint = texts(config, "Entrypoint")
        let (isOwnEntry, command) = (entrypoint == texts(own, "Entrypoint"), texts(config, "Cmd"))
        if !isOwnEntry { words += ["--entrypoint", entrypoint.first ?? ""] }
        words.append(text(config, "Image"))
        if !isOwnEntry { words += entrypoint.dropFirst() + command } else if command != texts(own, "Cmd") { words += command }
        return words
    }

    /// The words as a line that a shell takes apart again.
    public static func line(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    private static func quoted(_ word: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%".unicodeScalars)
        if !word.isEmpty, word.unicodeScalars.allSatisfy(plain.contains) { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
