internal import ArgumentParser
internal import Berth

/// How logs are kept of containers that say nothing of it. The flags are dockerd's.
struct LogFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where containers' output is kept unless they say otherwise: json-file, local, syslog, journald, fluentd or none. (default: json-file)",
            valueName: "driver"))
    var logDriver: String?
    @Option(
        help: ArgumentHelp("An option of that driver, such as max-size=10m. May be given several times.", valueName: "name=value"))
    var logOpt: [String] = []

    /// What is meant, with what the configuration file says. As with dockerd, what both say is a conflict.
    func defaults(_ file: ConfigurationFile) throws -> LogDefaults {
        let name = try file.one("log-driver", logDriver, file.logDriver) ?? LogDriver.jsonFile.rawValue
        guard let driver = LogDriver(rawValue: name), driver != .default else {
            throw Refusal("logger: no log driver named '\(name)' is registered")
        }
        var said: [String: String] = [:]
        for text in logOpt {
            guard let mark = text.firstIndex(of: "=") else { throw Refusal("invalid --log-opt '\(text)': it must be name=value") }
            said[String(text[..<mark])] = String(text[text.index(after: mark)...])
        }
        let options = try file.one("log-opts", said.isEmpty ? nil : said, file.logOptions) ?? [:]
        do throws(ContainerError) { return try LogDefaults(driver: driver, options: options) } catch {
            throw Refusal("failed to set log opts: \(error.description)")
        }
    }
}
