internal import BerthLinux
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

/// A container's processes, as `ps` would list them.
public struct ContainerProcesses: Sendable, Hashable {
    /// What the columns are called.
    public var titles: [String]
    /// A line a process, by their ids in the engine's namespace.
    public var rows: [[String]]
}

extension Container {
    /// Lists its processes.
    ///
    /// - Parameter options: those of `ps`, as far as they say what is shown: `-ef`, `-eF`, `-ej`, `aux`, `-o` with columns.
    /// - Throws: `unsupported` for options that are none of these, `invalid` without the column `PID`; `conflict` if it does not run.
    public func processes(options: String = "-ef") async throws(ContainerError) -> ContainerProcesses {
        try await store.processes(of: store.object(id), options)
    }
}

extension ContainerStore {
    func processes(of object: ContainerObject, _ options: String) async throws(ContainerError) -> ContainerProcesses {
        let format = try ProcessTableFormat(parsing: options)
        _ = try object.runningProcess()
        let (cgroups, group) = (services.runtime.cgroups, "\(services.runtime.cgroupParent)/\(object.id)")
        let rows = try await object.lane.run { () throws(ContainerError) -> [[String]] in
            let facts = Self.facts()
            return cgroups.processes(in: group).sorted().compactMap { id in
                // It has just ended.
                guard let process = try? ProcessReading(of: id) else { return nil }
                return format.row(process, facts)
            }
        }
        publish("top", object)
        return ContainerProcesses(titles: format.columns.map(\.title), rows: rows)
    }

    private static func facts() -> ProcessTableFacts {
        func names(_ path: String) -> [UInt32: String] {
            var names: [UInt32: String] = [:]
            // Without it, numbers are shown.
            let text = String(decoding: (try? HostFile.read(path, limit: UserResolver.maximumByteCount)) ?? [], as: UTF8.self)
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false)
                guard fields.count > 2, let id = UInt32(fields[2]), names[id] == nil else { continue }
                names[id] = String(fields[0])
            }
            return names
        }
        return ProcessTableFacts(
            now: realtimeNanoseconds(), memoryByteCount: (try? MachineReading.memoryByteCount()) ?? 0,  // the kernel always knows
            users: names("/etc/passwd"), groups: names("/etc/group"))
    }
}
