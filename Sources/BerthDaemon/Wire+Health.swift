internal import Berth
internal import DockerAPI

extension HealthState {
    /// What is known of it.
    init(_ health: Health) {
        self.init(
            status: health.status.rawValue, failingStreak: health.failingStreak,
            log: health.log.map {
                Probe(start: $0.startedAt.rfc3339, end: $0.finishedAt.rfc3339, exitCode: $0.exitCode, output: $0.output)
            })
    }
}

extension HealthConfig {
    /// How a container is checked.
    init?(_ container: ContainerDetails) {
        let action = container.configuration.unhealthyAction
        guard let check = container.healthcheck else { return nil }
        self.init()
        (test, retries) = (check.test ?? [], Int64(check.retries ?? 0))
        (interval, timeout) = (check.interval ?? 0, check.timeout ?? 0)
        (startPeriod, startInterval) = (check.startPeriod ?? 0, check.startInterval ?? 0)
        onFailure = action == .none ? "" : action.rawValue
    }
}

extension ContainerConfiguration {
    /// Takes what a client says of checks.
    mutating func take(_ check: HealthConfig?) throws(APIFailure) {
        guard let check else { return }
        guard let action = check.onFailure.isEmpty ? UnhealthyAction.none : UnhealthyAction(rawValue: check.onFailure) else {
            throw .invalid("invalid OnFailure in Healthcheck: '\(check.onFailure)': it must be none, restart, stop or kill")
        }
        unhealthyAction = action
        var said = ImageConfiguration.Healthcheck(test: check.test.isEmpty ? nil : check.test)
        (said.interval, said.timeout) = (check.interval, check.timeout)
        (said.startPeriod, said.startInterval) = (check.startPeriod, check.startInterval)
        guard let retries = Int(exactly: check.retries) else { throw .invalid("Retries in Healthcheck is too large") }
        said.retries = retries
        healthcheck = said
    }
}

extension ContainerOverview {
    /// What a list says of it behind how long it runs; empty where it is not checked.
    var healthText: String {
        switch health {
        case nil, .some(.none): ""
        case .starting: " (health: starting)"
        case let status?: " (\(status.rawValue))"
        }
    }
}
