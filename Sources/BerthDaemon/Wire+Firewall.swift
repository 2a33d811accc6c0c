internal import Berth
internal import BerthAPI

extension ExposureItem {
    /// A way that the engine knows.
    init(_ exposure: ContainerExposure) {
        let way = exposure.way
        let (address, own): (String, IPAddress?) =
            switch way.place {
            case .everyHostAddress(let version): (version == .v4 ? "0.0.0.0" : "::", way.target?.containerAddress)
            case .hostAddress(let address): (address.description, way.target?.containerAddress)
            case .containerAddress(let address): (address.description, address)
            case .subnet(let subnet): (subnet.description, nil)
            }
        self.init(
            address: address, networkID: way.networkID, networkName: exposure.network, rule: way.reason, askedBy: exposure.askedBy)
        (port, transport) = (way.port, way.transport?.rawValue)
        (containerID, containerName) = (exposure.containerID, exposure.containerName)
        (containerAddress, containerPort) = (own?.description, way.target?.containerPort)
    }
}

extension FirewallReport {
    /// What the engine says of firewalls.
    init(_ state: EngineFirewall) {
        self.init(
            mode: state.setting.mode.rawValue, protection: state.setting.protection.rawValue, table: state.table,
            findings: state.findings.map { FirewallFinding($0) }, rules: state.rules)
    }
}

extension FirewallFinding {
    /// What the engine has found.
    init(_ finding: HostFirewall.Finding) {
        self.init(
            family: finding.family, table: finding.table, chain: finding.chain, owner: finding.owner.rawValue, bridges: finding.bridges,
            ways: finding.ways.map(\.rawValue).sorted(by: >), why: finding.why, remedy: finding.remedy, text: finding.description)
    }
}
