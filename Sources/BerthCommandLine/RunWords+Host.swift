internal import BerthClient

extension RunWords {
    /// What it is to the network.
    mutating func addNetworks() {
        let mode = text(host, "NetworkMode")
        let id = text(container, "Id")
        let places = container["NetworkSettings"]?["Networks"]?.members ?? []
        let isDefault = ["default", "bridge", ""].contains(mode)
        // That of the mode first: its interface is.
        if !isDefault { flag("network", place(mode, places.first { $0.name == mode }?.value)) }
        if !["host", "none"].contains(mode), !mode.hasPrefix("container:") {
            for member in places where member.name != mode && !(isDefault && member.name == "bridge") {
                flag("network", place(member.name, member.value))
            }
        }
        if text(config, "Hostname") != id.prefix(12), mode != "host", !mode.hasPrefix("container:"), text(host, "UTSMode").isEmpty {
            flag("hostname", text(config, "Hostname"))
        }
        flag("domainname", text(config, "Domainname"))
        for binding in (host?["PortBindings"]?.members ?? []).sorted(by: { $0.name < $1.name }) {
            for place in binding.value.elements {
                let address = text(place, "HostIp")
                let shown = address.contains(":") ? "[\(address)]" : address
                let port = text(place, "HostPort")
                add("-p", (shown.isEmpty ? "" : shown + ":") + (port.isEmpty && shown.isEmpty ? "" : port + ":") + binding.name)
            }
        }
        if truth(host, "PublishAllPorts") { add("-P") }
        let exposed = Set((own?["ExposedPorts"]?.members ?? []).map(\.name)).union((host?["PortBindings"]?.members ?? []).map(\.name))
        flags("expose", (config?["ExposedPorts"]?.members ?? []).map(\.name).filter { !exposed.contains($0) }.sorted())
        for (name, key) in [
            ("dns", "Dns"), ("dns-option", "DnsOptions"), ("dns-search", "DnsSearch"), ("add-host", "ExtraHosts"), ("link", "Links"),
        ] { flags(name, texts(host, key)) }
    }

    /// A place in a network, with what its maker has said of it.
    private func place(_ name: String, _ endpoint: JSONTree?) -> String {
        let id = text(container, "Id")
        let aliases = texts(endpoint, "Aliases").filter { $0.isEmpty || !id.hasPrefix($0) }
        let addresses = endpoint?["IPAMConfig"]
        let said =
            aliases.map { "alias=\($0)" }
            + [("ip", "IPv4Address"), ("ip6", "IPv6Address")].compactMap {
                text(addresses, $1).isEmpty ? nil : "\($0)=\(text(addresses, $1))"
            }
            + texts(addresses, "LinkLocalIPs").map { "link-local-ip=\($0)" }
            + pairs(endpoint, "DriverOpts").map { "driver-opt=\($0.name)=\($0.value)" }
        return said.isEmpty ? name : (["name=\(name)"] + said).joined(separator: ",")
    }

    /// Which of its namespaces are others'.
    mutating func addNamespaces() {
        for (name, key, usual) in [
            ("pid", "PidMode", ""), ("ipc", "IpcMode", "private"), ("uts", "UTSMode", ""), ("userns", "UsernsMode", ""),
            ("cgroupns", "CgroupnsMode", "private"),
        ] where text(host, key) != usual { flag(name, text(host, key)) }
        flag("cgroup-parent", text(host, "CgroupParent"))
        flags("sysctl", pairs(host, "Sysctls").map { "\($0.name)=\($0.value)" })
    }

    /// As whom it runs, and what it may.
    mutating func addRights() {
        if text(config, "User") != text(own, "User") { flag("user", text(config, "User")) }
        flags("group-add", texts(host, "GroupAdd"))
        if text(config, "WorkingDir") != text(own, "WorkingDir") { flag("workdir", text(config, "WorkingDir")) }
        if truth(host, "Privileged") { add("--privileged") }
        flags("cap-add", texts(host, "CapAdd"))
        flags("cap-drop", texts(host, "CapDrop"))
        flags("security-opt", texts(host, "SecurityOpt"))
        let hidden = ["MaskedPaths", "ReadonlyPaths"].map { host?[$0]?.elements }
        if !truth(host, "Privileged"), hidden.allSatisfy({ $0?.isEmpty ?? false }), host?["MaskedPaths"] != .null {
            flag("security-opt", "systempaths=unconfined")
        }
    }

    /// Devices of the host's.
    mutating func addDevices() {
        for device in host?["Devices"]?.elements ?? [] {
            let parts = [text(device, "PathOnHost"), text(device, "PathInContainer"), text(device, "CgroupPermissions")]
            flag("device", parts.filter { !$0.isEmpty }.joined(separator: ":"))
        }
        flags("device-cgroup-rule", texts(host, "DeviceCgroupRules"))
        for request in host?["DeviceRequests"]?.elements ?? [] {
            if text(request, "Driver") == "cdi" {
                flags("device", texts(request, "DeviceIDs"))
            } else {
                let (count, ids) = (request["Count"]?.integer ?? 0, texts(request, "DeviceIDs"))
                flag("gpus", ids.isEmpty ? (count < 0 ? "all" : String(count)) : "\"device=\(ids.joined(separator: ","))\"")
            }
        }
    }

    /// How much it may use.
    mutating func addLimits() {
        for (name, key) in [
            ("memory", "Memory"), ("memory-reservation", "MemoryReservation"), ("memory-swap", "MemorySwap"), ("cpu-shares", "CpuShares"),
            ("cpu-period", "CpuPeriod"), ("cpu-quota", "CpuQuota"), ("cpu-rt-period", "CpuRealtimePeriod"),
            ("cpu-rt-runtime", "CpuRealtimeRuntime"), ("pids-limit", "PidsLimit"), ("oom-score-adj", "OomScoreAdj"),
            ("blkio-weight", "BlkioWeight"),
        ] where number(key) != 0 {
            // What is twice the memory is what there is without a word.
            if key == "MemorySwap", number(key) == 2 * number("Memory") { continue }
            flag(name, String(number(key)))
        }
        if let swappiness = host?["MemorySwappiness"]?.integer, swappiness >= 0 { flag("memory-swappiness", String(swappiness)) }
        if number("NanoCpus") > 0 {
            let (whole, rest) = (number("NanoCpus") / 1_000_000_000, number("NanoCpus") % 1_000_000_000)
            var digits = String(repeating: "0", count: 9 - String(rest).count) + String(rest)
            while digits.last == "0" { digits.removeLast() }
            flag("cpus", digits.isEmpty ? String(whole) : "\(whole).\(digits)")
        }
        flag("cpuset-cpus", text(host, "CpusetCpus"))
        flag("cpuset-mems", text(host, "CpusetMems"))
        if truth(host, "OomKillDisable") { add("--oom-kill-disable") }
        for (name, key, value) in [
            ("blkio-weight-device", "BlkioWeightDevice", "Weight"), ("device-read-bps", "BlkioDeviceReadBps", "Rate"),
            ("device-read-iops", "BlkioDeviceReadIOps", "Rate"), ("device-write-bps", "BlkioDeviceWriteBps", "Rate"),
            ("device-write-iops", "BlkioDeviceWriteIOps", "Rate"),
        ] {
            for limit in host?[key]?.elements ?? [] { flag(name, "\(text(limit, "Path")):\(limit[value]?.integer ?? 0)") }
        }
        for limit in host?["Ulimits"]?.elements ?? [] {
            flag("ulimit", "\(text(limit, "Name"))=\(limit["Soft"]?.integer ?? 0):\(limit["Hard"]?.integer ?? 0)")
        }
    }

    /// How it is seen whether it does well.
    mutating func addHealth() {
        guard let check = config?["Healthcheck"], check != .null else { return }
        let test = texts(check, "Test")
        if test.first == "NONE" { return add("--no-healthcheck") }
        // The flag can say no more than a line for a shell: what is no such line is the image's.
        if test.first == "CMD-SHELL", test != texts(own?["Healthcheck"], "Test") {
            flag("health-cmd", test.dropFirst().joined(separator: " "))
        }
        for (name, key) in [
            ("health-interval", "Interval"), ("health-timeout", "Timeout"), ("health-start-period", "StartPeriod"),
            ("health-start-interval", "StartInterval"),
        ] {
            guard let time = check[key]?.integer, time > 0, time != own?["Healthcheck"]?[key]?.integer ?? 0 else { continue }
            flag(name, time % 1_000_000_000 == 0 ? "\(time / 1_000_000_000)s" : "\(time)ns")
        }
        if let count = check["Retries"]?.integer, count > 0, count != own?["Healthcheck"]?["Retries"]?.integer ?? 0 {
            flag("health-retries", String(count))
        }
        flag("health-on-failure", text(check, "OnFailure"))
    }
}
