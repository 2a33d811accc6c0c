/// How logs are kept of containers that say nothing of it.
public struct LogDefaults: Hashable, Sendable {
    /// The driver. Default ``LogDriver/jsonFile``.
    public let driver: LogDriver
    /// Its options, as Docker's names them. Of containers that name the same driver, or none, they are what is not said otherwise.
    public let options: [String: String]

    /// Docker's driver, with no option.
    public init() { (driver, options) = (.jsonFile, [:]) }

    /// These.
    ///
    /// - Throws: `invalid` for options that the driver does not have or that make no sense, `unsupported`.
    public init(driver: LogDriver, options: [String: String]) throws(ContainerError) {
        guard driver != .none || options.isEmpty else { throw ContainerError(.invalid, "invalid logging opts for driver none") }
        self.driver = driver == .default ? .jsonFile : driver
        self.options = options
        _ = try LogSettings(self.driver, options)
    }

    /// What a container has then in force.
    func complete(_ configuration: inout ContainerConfiguration) {
        if configuration.logDriver == .default { configuration.logDriver = driver }
        guard configuration.logDriver == driver else { return }
        configuration.logOptions.merge(options) { said, _ in said }
    }
}
