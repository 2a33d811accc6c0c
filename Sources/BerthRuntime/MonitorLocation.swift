internal import BerthLinux
internal import CBerth
internal import Glibc

/// Where the program comes from that becomes a container's monitor.
public enum MonitorLocation: Hashable, Sendable {
    /// Beside the running program, else on `PATH`, else the running program itself, executed again, if `BerthMonitor` is linked into it.
    case automatic
    /// The program of this path.
    case program(String)

    /// The program and its arguments.
    func resolve() throws(RuntimeError) -> (program: String, arguments: [String]) {
        if case .program(let path) = self {
            guard Self.isExecutable(path) else { throw RuntimeError(.monitor, "the monitor '\(path)' is not there or cannot be executed") }
            return (path, ["berth-monitor"])
        }
        let own = HostFile.ownProgram()
        if let own, let slash = own.lastIndex(of: "/") {
            let beside = own[...slash] + "berth-monitor"
            if Self.isExecutable(String(beside)) { return (String(beside), ["berth-monitor"]) }
        }
        if let path = unsafe getenv("PATH") {
            for folder in unsafe String(cString: path).split(separator: ":")
            where folder.hasPrefix("/") && Self.isExecutable("\(folder)/berth-monitor") {
                return ("\(folder)/berth-monitor", ["berth-monitor"])
            }
        }
        if let own, berth_has_monitor_entry() != 0 { return (own, [unsafe String(cString: berth_monitor_argument())]) }
        throw RuntimeError(
            .monitor,
            "monitor not found: name it in the engine's configuration, put 'berth-monitor' beside the running program or on PATH, or link the product Berth, with which this program is its own monitor"
        )
    }

    private static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }
}
