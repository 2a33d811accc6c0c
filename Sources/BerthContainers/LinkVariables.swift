internal import BerthNetworking

/// The variables by which a container knows one that it is linked to, as Docker's links of the default network have had them from the beginning.
///
/// Source: Docker's documentation of legacy container links, *Environment variables*. Pure.
struct LinkVariables {
    /// What the link is called.
    var alias: String
    /// The name of the container that has the link.
    var owner: String
    /// Where the other is.
    var address: String
    /// What the other says that it serves.
    var ports: [Port]
    /// The other's own environment.
    var environment: [String]

    /// They, as `NAME=value`.
    var list: [String] {
        let prefix = alias.uppercased().replacing("-", with: "_")
        // The lowest is the one that is meant, and of two of one number that of TCP.
        func rank(_ port: Port) -> (UInt16, Int, String) { (port.number, port.transport == .tcp ? 0 : 1, port.transport.rawValue) }
        let sorted = ports.sorted { rank($0) < rank($1) }
        var result = sorted.first.map { ["\(prefix)_PORT=\(place(of: $0))"] } ?? []
        for run in Self.runs(sorted) where run.count > 2 {
            guard let first = run.first, let last = run.last else { continue }
            let name = "\(prefix)_PORT_\(first.number)_\(first.transport.rawValue.uppercased())"
            result += [
                "\(name)_START=\(place(of: first))", "\(name)_PORT_START=\(first.number)", "\(name)_END=\(place(of: last))",
                "\(name)_PORT_END=\(last.number)",
            ]
        }
        for port in sorted {
            let name = "\(prefix)_PORT_\(port.number)_\(port.transport.rawValue.uppercased())"
            result += [
                "\(name)=\(place(of: port))", "\(name)_ADDR=\(address)", "\(name)_PORT=\(port.number)",
                "\(name)_PROTO=\(port.transport.rawValue)",
            ]
        }
        result.append("\(prefix)_NAME=/\(owner)/\(alias)")
        for variable in environment where variable.contains("=") && !["HOME", "PATH"].contains(Environment.name(variable)) {
            result.append("\(prefix)_ENV_\(variable)")
        }
        return result
    }

    private func place(of port: Port) -> String { "\(port.transport.rawValue)://\(address):\(port.number)" }

    /// Ports whose numbers follow each other, of whatever kind, as Docker takes them.
    private static func runs(_ ports: [Port]) -> [[Port]] {
        var runs: [[Port]] = []
        for port in ports {
            if let last = runs.last?.last, Int(port.number) - Int(last.number) <= 1 {
                runs[runs.count - 1].append(port)
            } else {
                runs.append([port])
            }
        }
        return runs
    }
}
