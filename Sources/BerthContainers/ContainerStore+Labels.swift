internal import BerthVolumes
internal import Synchronization

/// Levels of containers that are just being made, which no other may get.
final class LevelsInTheMaking: Sendable {
    private let levels = Mutex<Set<String>>([])

    func take(besides taken: Set<String>) throws(ContainerError) -> String {
        let level = levels.withLock { levels -> String? in
            var random = SystemRandomNumberGenerator()
            let level = SecurityLabels.level(besides: taken.union(levels), using: &random)
            if let level { levels.insert(level) }
            return level
        }
        guard let level else { throw ContainerError(.conflict, "there are no more categories of SELinux's for another container") }
        return level
    }

    func release(_ level: String) { levels.withLock { _ = $0.remove(level) } }
}

extension ContainerStore {
    /// Whether containers have labels.
    public var usesSELinux: Bool { services.usesSELinux }

    /// Makes a container's labels, and calls `body` with them while nobody else can get the same.
    ///
    /// - Returns: `nil` for labels where there are to be none.
    func withLabels<Result>(
        for configuration: ContainerConfiguration, _ body: (SecurityLabels?) async throws(ContainerError) -> Result
    ) async throws(ContainerError) -> Result {
        guard services.usesSELinux else { return try await body(nil) }
        let level = try levels.take(besides: takenLevels)
        defer { levels.release(level) }
        return try await body(try SecurityLabels(try labelOptions(of: configuration), try SELinux.Policy(), level: level))
    }

    /// What a container is called once it is to be something else: of the categories that it has, if it has any.
    func securityLabels(of former: ContainerDocument, for configuration: ContainerConfiguration) throws(ContainerError) -> SecurityLabels? {
        guard services.usesSELinux else { return former.securityLabels }
        let own = former.securityLabels.flatMap { SecurityContext($0.process)?.level }
        let level = if let own { own } else { try levels.take(besides: takenLevels) }
        defer { if own == nil { levels.release(level) } }
        return try SecurityLabels(try labelOptions(of: configuration), try SELinux.Policy(), level: level)
    }

    private var takenLevels: Set<String> {
        Set(objects().compactMap { $0.document.securityLabels.flatMap { SecurityContext($0.process)?.level } })
    }

    /// What it says itself, or what follows from whose processes and memory it shares.
    private func labelOptions(of configuration: ContainerConfiguration) throws(ContainerError) -> [String] {
        let prefix = "label="
        let said = configuration.securityModuleOptions.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        if !said.isEmpty { return said }
        let namespaces = configuration.namespaces
        if configuration.privileged || namespaces.ipc == .host || namespaces.pid == .host { return ["disable"] }
        let shared = try [namespaces.ipc.owner, namespaces.pid.owner].compactMap(\.self).map { (owner) throws(ContainerError) in
            try object(owner).document.securityLabels.flatMap { SecurityContext($0.process) }
        }
        guard let first = shared.first else { return [] }
        guard shared.allSatisfy({ $0 == first }) else {
            throw ContainerError(.invalid, "--ipc and --pid containers SELinux labels aren't the same")
        }
        guard let first else { return [] }
        return ["user:\(first.user)", "role:\(first.role)", "type:\(first.type)"] + (first.level.isEmpty ? [] : ["level:\(first.level)"])
    }

    /// Gives what a container mounts the labels that it asks for, and its own files its own.
    func relabel(_ document: ContainerDocument, _ id: String, _ sources: MountSources) throws(ContainerError) {
        guard let labels = document.securityLabels else { return }
        if document.sandboxOwner == nil {
            for name in ContainerFiles.names { try SELinux.relabel("\(services.root)/containers/\(id)/\(name)", labels.mount) }
        }
        for mount in document.placedMounts {
            guard let isShared = VolumeFlagOptions(mount.mode)?.sharesLabel else { continue }
            if let path = mount.labelledPath(sources) { try SELinux.relabel(path, isShared ? labels.sharedMount : labels.mount) }
        }
    }
}

extension ContainerMount {
    /// What gets a label: a directory or file of the host's.
    fileprivate func labelledPath(_ sources: MountSources) -> String? {
        if kind == .bind { return source }
        guard kind == .volume, let volume, let source = sources.volumes[volume] else { return nil }
        switch source {
        case .directory(let path), .bind(let path, _): return path
        case .fileSystem: return nil
        }
    }
}
