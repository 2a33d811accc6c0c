internal import BerthClient
internal import BerthCommandLine

/// The seed of many a lost hour: arguments of `run` that start a shell where an image's own service was expected.
enum ReplacedCommand {
    private static let shells: Set = ["sh", "bash", "ash", "dash", "zsh", "fish", "busybox"]

    private static func isShell(_ word: String) -> Bool { shells.contains(String(word.split(separator: "/").last ?? "")) }

    /// Says so, if what was asked for takes the place of what a service's image runs.
    ///
    /// - Parameter command: the arguments of `run`.
    static func warn(image: String, command: [String], entrypoint: String?, _ daemon: Daemon) {
        guard let first = command.first, isShell(first), entrypoint == nil else { return }
        // Of an image that cannot be looked at there is nothing to say.
        guard let config = (try? daemon.call("GET", "/images/\(Daemon.escapedPath(image))/json"))?["Config"] else { return }
        let own = (config["Cmd"]?.elements ?? []).compactMap(\.text)
        let isService = !(config["ExposedPorts"]?.members ?? []).isEmpty || !(config["Volumes"]?.members ?? []).isEmpty
        guard isService, let replaced = own.first, !own.contains(where: isShell) else { return }
        Output.complain(
            "WARNING: '\(replaced)', which image \(image) is made for, is not run: '\(first)' takes its place. To look into a container that runs: berth exec -it CONTAINER \(first)"
        )
    }
}
