internal import BerthLinux
internal import FoundationEssentials
internal import Synchronization

/// AppArmor, as far as it confines containers: profiles of paths, capabilities and signals that a program has from its execution on (apparmor(7)).
public enum AppArmor {
    /// The profile of a container that names no other. The engine hands it to the kernel itself (``defaultProfileText``).
    public static var defaultProfile: String { "berth-default" }
    /// What a container names that wants none; a privileged one has this unless it names another.
    public static var unconfined: String { "unconfined" }

    /// Whether this kernel runs it and shows its files. Without, what a container says of it does nothing, as with Docker.
    public static let isEnabled = SecurityModules.has("apparmor") && HostFile.exists(files)

    private static let files = "/sys/kernel/security/apparmor"
    /// The most that is read of the list of profiles.
    private static let listByteLimit = 4 << 20
    /// Whether this program has handed the default profile over: once also where the kernel has one of that name, which may be another version's.
    private static let isFresh = Mutex(false)

    /// What a container is confined by, loaded; `nil` where this kernel has no AppArmor.
    ///
    /// - Parameter whenLoaded: called if the default profile has just been handed to the kernel.
    /// - Throws: `invalid` for a profile that is not loaded, `unsupported` where the default one cannot be.
    static func profile(of configuration: ContainerConfiguration, whenLoaded: () -> Void) throws(ContainerError) -> String? {
        guard isEnabled else { return nil }
        let name = configuration.effectiveAppArmorProfile
        if name == unconfined { return name }
        if name == defaultProfile {
            if try loadDefault() { whenLoaded() }
        } else if !isLoaded(name) {
            throw ContainerError(
                .invalid, "AppArmor profile '\(name)' is not loaded: load it with 'apparmor_parser -r FILE', or name another")
        }
        return name
    }

    /// Whether the kernel has a profile of this name; also where that cannot be told, or the name is of several.
    private static func isLoaded(_ name: String) -> Bool {
        guard !name.contains(":"), !name.contains("//&"), let list = try? HostFile.read("\(files)/profiles", limit: listByteLimit) else {
            return true
        }
        // A line is a name and a mode, as "docker-default (enforce)".
        return String(decoding: list, as: UTF8.self).split(separator: "\n").contains { $0.hasPrefix("\(name) (") }
    }

    /// - Returns: whether it was not there before, or may have been another version's.
    private static func loadDefault() throws(ContainerError) -> Bool {
        do throws(Errno) {
            return try isFresh.withLock { isFresh throws(Errno) in
                if isFresh, isLoaded(defaultProfile) { return false }
                guard let policy = Data(base64Encoded: defaultPolicy) else { preconditionFailure("it is written in base 64") }
                try HostFile.write(Array(policy), to: "\(files)/.replace")
                isFresh = true
                return true
            }
        } catch {
            throw ContainerError(
                .unsupported,
                "the AppArmor profile '\(defaultProfile)' cannot be loaded: \(error); with '--security-opt apparmor=unconfined' the container starts without",
                underlying: error)
        }
    }
}

extension ContainerConfiguration {
    /// The profile that it names, the default one, or none.
    var effectiveAppArmorProfile: String {
        let prefix = "apparmor="
        let named = securityModuleOptions.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        if let named, !named.isEmpty { return named }
        return privileged ? AppArmor.unconfined : AppArmor.defaultProfile
    }
}
