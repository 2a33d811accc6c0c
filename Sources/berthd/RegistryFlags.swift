internal import ArgumentParser
internal import Berth

/// How registries are reached: dockerd's flags, and the keys of its `daemon.json`.
struct RegistryFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to pull from before a registry itself: a URL, for Docker Hub; REGISTRY=URL for another, *=URL for all. May be given several times.",
            valueName: "mirror"))
    var registryMirror: [String] = []
    @Option(
        help: ArgumentHelp(
            "A registry without TLS, or whose certificate is not looked at: HOST, HOST:PORT or a range of addresses. May be given several times.",
            valueName: "registry"))
    var insecureRegistry: [String] = []
    @Option(help: "How many layers come at once. (default: 3)") var maxConcurrentDownloads: Int?
    @Option(help: "How many layers go at once. (default: 5)") var maxConcurrentUploads: Int?
    @Option(help: "How often a download is tried. (default: 5)") var maxDownloadAttempts: Int?
    @Flag(help: "Ask nothing of any registry.") var offline = false

    /// Whether any of them is.
    var isGiven: Bool {
        !registryMirror.isEmpty || !insecureRegistry.isEmpty || offline
            || [maxConcurrentDownloads, maxConcurrentUploads, maxDownloadAttempts].contains { $0 != nil }
    }

    /// What flags and file say together.
    ///
    /// - Throws: ``Refusal`` for what makes no sense, and for what both say, as dockerd refuses it.
    func configuration(_ file: ConfigurationFile, environment: [String: String]) throws -> RegistryConfiguration {
        var configuration = RegistryConfiguration()
        for text in try file.one("registry-mirrors", registryMirror, file.registryMirrors) ?? [] {
            let (registry, mirror) = try Self.mirror(text)
            configuration.mirrors[registry, default: []].append(mirror)
        }
        configuration.insecureRegistries = try file.one("insecure-registries", insecureRegistry, file.insecureRegistries) ?? []
        configuration.maximumDownloadCount = try count(
            file, "max-concurrent-downloads", maxConcurrentDownloads, file.maxConcurrentDownloads, configuration.maximumDownloadCount)
        configuration.maximumUploadCount = try count(
            file, "max-concurrent-uploads", maxConcurrentUploads, file.maxConcurrentUploads, configuration.maximumUploadCount)
        configuration.retries.maximumTryCount = try count(
            file, "max-download-attempts", maxDownloadAttempts, file.maxDownloadAttempts, configuration.retries.maximumTryCount)
        configuration.isOffline = offline || file.offline ?? false
        configuration.proxies = ProxySettings(environment: environment)
        return configuration
    }

    private static func mirror(_ text: String) throws -> (registry: String, RegistryConfiguration.Mirror) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        // A URL's own `=` stands behind its scheme.
        let (registry, url) = parts.count == 2 && !parts[0].contains("://") ? (String(parts[0]), parts[1]) : ("docker.io", text[...])
        guard !registry.isEmpty, let address = RegistryAddress(parsing: url) else {
            throw Refusal("invalid mirror: \"\(text)\" must be a URL such as https://mirror.example, or REGISTRY=URL")
        }
        return (registry, RegistryConfiguration.Mirror(address))
    }

    private func count(_ file: ConfigurationFile, _ name: String, _ flag: Int?, _ read: Int?, _ standard: Int) throws -> Int {
        guard let number = try file.one(name, flag, read) else { return standard }
        guard (1...1024).contains(number) else { throw Refusal("invalid \(name): \(number) must be from 1 to 1024") }
        return number
    }
}
