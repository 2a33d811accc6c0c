internal import BerthOCI
internal import BerthRuntime

/// Namespaces of other containers that one is about to join, held until it has.
struct JoinedNamespaces: Sendable {
    var pid: HeldNamespace?
    var ipc: HeldNamespace?
    var uts: HeldNamespace?
    /// Where the other's `/dev/shm` is mounted.
    var mounts: HeldNamespace?

    /// Which namespaces are made, and which are joined; the host's are neither.
    func namespaces(of configuration: NamespaceConfiguration) -> [RuntimeSpec.Namespace] {
        let all: [(String, NamespaceMode, HeldNamespace?)] = [
            ("uts", configuration.uts, uts), ("ipc", configuration.ipc, ipc), ("pid", configuration.pid, pid),
            ("cgroup", configuration.cgroup, nil),
        ]
        return all.compactMap { type, mode, held in
            mode.isOwn ? RuntimeSpec.Namespace(type: type) : held.map { RuntimeSpec.Namespace(type: type, path: $0.path) }
        }
    }

    /// `/dev/shm`: whose it is goes with whose IPC namespace it is.
    func sharedMemory(_ mode: NamespaceMode, byteCount: UInt64) -> [RuntimeSpec.Mount] {
        let safe = ["nosuid", "noexec", "nodev"]
        switch mode {
        case .none: return []
        case .host:
            return [RuntimeSpec.Mount(destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind", "rprivate"] + safe)]
        case .container:
            guard let mounts else { return [] }
            let options = ["bind", "\(MountWord.namespace)\(mounts.path)"] + safe
            return [RuntimeSpec.Mount(destination: "/dev/shm", type: "bind", source: "/dev/shm", options: options)]
        case .default, .private, .shareable:
            return [
                RuntimeSpec.Mount(
                    destination: "/dev/shm", type: "tmpfs", source: "shm", options: safe + ["mode=1777", "size=\(byteCount)"])
            ]
        }
    }
}

extension ContainerStore {
    /// Holds the namespaces of the containers that this one names. They must run, and have something to share. Docker's words.
    func join(_ configuration: NamespaceConfiguration) throws(ContainerError) -> JoinedNamespaces {
        var joined = JoinedNamespaces()
        if let owner = configuration.pid.owner { joined.pid = try hold("pid", of: owner, "PID") }
        if let owner = configuration.uts.owner { joined.uts = try hold("uts", of: owner, "UTS") }
        if let owner = configuration.ipc.owner {
            joined.ipc = try hold("ipc", of: owner, "IPC")
            switch try object(owner).document.configuration.namespaces.ipc {
            case .shareable, .host, .container: joined.mounts = try hold("mnt", of: owner, "IPC")
            case .default, .private, .none:
                throw ContainerError(
                    .conflict,
                    "can't join IPC of container \(owner): non-shareable IPC (hint: use IpcMode:shareable for the donor container)")
            }
        }
        return joined
    }

    private func hold(_ kind: String, of owner: String, _ word: String) throws(ContainerError) -> HeldNamespace {
        let refusal = "can't join \(word) of container \(owner)"
        let process: RuntimeContainer
        do throws(ContainerError) { process = try object(owner).runningProcess() } catch {
            throw ContainerError(error.code, "\(refusal): \(error.description)", underlying: error.underlying)
        }
        do throws(RuntimeError) { return try process.hold(kind) } catch {
            let code: ContainerError.Code = error.code == .notRunning ? .conflict : .runtime
            throw ContainerError(code, "\(refusal): \(error.description)", underlying: error.underlying)
        }
    }

    /// Names are made ids when a container is made: names change hands.
    func settleOwners(of configuration: inout NamespaceConfiguration) throws(ContainerError) {
        func settled(_ mode: NamespaceMode) throws(ContainerError) -> NamespaceMode {
            guard let owner = mode.owner else { return mode }
            return .container(try object(owner).id)
        }
        (configuration.pid, configuration.ipc) = (try settled(configuration.pid), try settled(configuration.ipc))
        configuration.uts = try settled(configuration.uts)
    }
}
