public import DockerAPI

/// What `--publish` and `--expose` say of ports.
public enum PublishFlags {
    /// Where ports are published, as each of some `--publish` says: `[address:][port[-port]:]port[-port][/transport]`, or
    /// `target=…,published=…,protocol=…`.
    ///
    /// - Throws: in Docker's words.
    public static func bindings(_ flags: [String]) throws(ValueMistake) -> PortMap {
        var result: PortMap = [:]
        for flag in flags {
            for (port, binding) in try mappings(flag.contains("=") ? standardNotation(flag) : flag) {
                result[port, default: []].append(binding)
            }
        }
        return result
    }

    /// The ports that some `--expose` name: `port[-port][/transport]`.
    ///
    /// - Throws: in Docker's words.
    public static func exposed(_ flags: [String]) throws(ValueMistake) -> Set<ContainerPort> {
        var result: Set<ContainerPort> = []
        for flag in flags {
            guard !flag.contains(":") else { throw ValueMistake("invalid port format for --expose: \(flag)") }
            func wrong(_ reason: String) -> ValueMistake { ValueMistake("invalid range format for --expose: \(flag), error: \(reason)") }
            let (text, transport) = parts(flag)
            guard let transport = ContainerPort.Transport(rawValue: transport.lowercased()) else {
                throw wrong("invalid proto: \(transport)")
            }
            switch range(text) {
            case .success(let ports): for number in ports { result.insert(ContainerPort(number, transport)) }
            case .failure(let mistake): throw wrong(mistake.description)
            }
        }
        return result
    }

    /// The name of a port in answers, as `80/tcp`, of what was typed: without a transport, it is TCP.
    ///
    /// - Throws: in Docker's words.
    public static func portName(_ text: String) throws(ValueMistake) -> String {
        let (number, transport) = parts(text)
        guard ContainerPort.number(number) != nil, case .success(let ports) = range(number) else {
            guard case .failure(let mistake) = range(number) else { throw ValueMistake("invalid port (\(number)): it is a range") }
            throw ValueMistake("invalid port (\(number)): \(mistake)")
        }
        return "\(ports.lowerBound)/\(transport)"
    }

    /// `target=80,published=8080,protocol=udp` as the short notation has it; other names are passed over, as Docker does.
    private static func standardNotation(_ flag: String) throws(ValueMistake) -> String {
        var parameters = ["protocol": "tcp"]
        for parameter in flag.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValueMistake("invalid publish opts format (should be name=value but got '\(parameter)')")
            }
            parameters[String(parts[0])] = String(parts[1])
        }
        return "\(parameters["published"] ?? ""):\(parameters["target"] ?? "")/\(parameters["protocol"] ?? "")"
    }

    private static func mappings(_ text: String) throws(ValueMistake) -> [(ContainerPort, PortBinding)] {
        // From behind: an address may have colons.
        var pieces = text.split(separator: ":", omittingEmptySubsequences: false)
        let inside = parts(String(pieces.removeLast()))
        let hostPort = pieces.popLast().map(String.init) ?? ""
        guard !inside.port.isEmpty else { throw ValueMistake("no port specified: \(text)<empty>") }
        guard let transport = ContainerPort.Transport(rawValue: inside.transport.lowercased()) else {
            throw ValueMistake("invalid proto: \(inside.transport.lowercased())")
        }
        let address = try hostAddress(pieces.joined(separator: ":"))
        guard case .success(let ports) = range(inside.port) else { throw ValueMistake("invalid containerPort: \(inside.port)") }
        guard !hostPort.isEmpty else {
            return ports.map { (ContainerPort($0, transport), PortBinding(hostAddress: address)) }
        }
        guard case .success(let hostPorts) = range(hostPort) else { throw ValueMistake("invalid hostPort: \(hostPort)") }
        if ports.count == 1, hostPorts.count > 1 {
            // One of these is to be taken.
            let choice = "\(hostPorts.lowerBound)-\(hostPorts.upperBound)"
            return [(ContainerPort(ports.lowerBound, transport), PortBinding(hostAddress: address, hostPort: choice))]
        }
        guard ports.count == hostPorts.count else {
            throw ValueMistake("invalid ranges specified for container and host Ports: \(inside.port) and \(hostPort)")
        }
        return zip(ports, hostPorts).map { inside, outside in
            (ContainerPort(inside, transport), PortBinding(hostAddress: address, hostPort: String(outside)))
        }
    }

    /// An address without the brackets that it may have.
    private static func hostAddress(_ text: String) throws(ValueMistake) -> String {
        var address = text[...]
        if address.hasPrefix("[") {
            guard let end = address.firstIndex(of: "]") else {
                throw ValueMistake("invalid IP address \(text): address \(text):: missing ']' in address")
            }
            guard address.index(after: end) == address.endIndex else {
                throw ValueMistake("invalid IP address \(text): address \(text):: missing port in address")
            }
            address = address[..<end].dropFirst()
        }
        guard address.isEmpty || IPText(parsing: address) != nil else { throw ValueMistake("invalid IP address: \(address)") }
        return String(address)
    }

    /// `80/tcp` at its slash; without a transport, it is TCP.
    private static func parts(_ text: String) -> (port: String, transport: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count < 2 || parts[1].isEmpty ? "tcp" : parts[1])
    }

    private static func range(_ text: String) -> Result<ClosedRange<UInt16>, ValueMistake> {
        guard !text.isEmpty else { return .failure(ValueMistake("empty string specified for ports")) }
        var ends: [UInt16] = []
        for end in text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false) {
            guard let number = ContainerPort.number(end) else {
                let isNumber = !end.isEmpty && end.utf8.allSatisfy { (48...57).contains($0) }
                return .failure(
                    ValueMistake(
                        "strconv.ParseUint: parsing \(ValueKind.quoted(String(end))): \(isNumber ? "value out of range" : "invalid syntax")"
                    ))
            }
            ends.append(number)
        }
        let (first, last) = (ends[0], ends[ends.count - 1])
        guard first <= last else { return .failure(ValueMistake("invalid range specified for port: \(text)")) }
        return .success(first...last)
    }
}
