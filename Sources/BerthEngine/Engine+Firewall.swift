internal import BerthLinux
public import BerthNetworking
internal import BerthState
internal import FoundationEssentials
internal import Synchronization

/// What an engine says of firewalls: `berth system firewall`.
public struct EngineFirewall: Sendable, Hashable {
    /// How it gets on with other people's.
    public var setting: FirewallSetting
    /// The name of its own table.
    public var table: String
    /// The chains of other people's that drop containers' packets.
    public var findings: [HostFirewall.Finding]
    /// The rules of its own that stand in them, in words.
    public var rules: [String]
}

/// What `firewall.json` says: there from the first time on that somebody has chosen.
struct FirewallDocument: Codable, Sendable {
    static let currentVersion = 1
    static let name = "firewall.json"

    var version = FirewallDocument.currentVersion
    /// `explain` or `cooperate`.
    var mode: String
    /// `owned` or `watched`.
    var protection: String

    init(_ setting: FirewallSetting) { (mode, protection) = (setting.mode.rawValue, setting.protection.rawValue) }

    var setting: FirewallSetting? {
        guard let mode = FirewallSetting.Mode(rawValue: mode), let protection = Firewall.Protection(rawValue: protection) else {
            return nil
        }
        return FirewallSetting(mode: mode, protection: protection)
    }

    /// Reads the one of a root; `nil` where nobody has chosen.
    ///
    /// - Throws: `newer`, and `storage` for one that is damaged: what is to be done to the host is not guessed.
    static func read(in root: String) throws(EngineError) -> FirewallSetting? {
        let bytes: [UInt8]
        do throws(Errno) {
            let directory = try Directory.open(root)
            guard try directory.contains("firewall.json") else { return nil }
            bytes = try directory.readFile("firewall.json", limit: 64 << 10)
        } catch { throw EngineError(.storage, "cannot read '\(root)/\(name)': \(error)", underlying: error) }
        let found = try? JSONDecoder().decode(FirewallDocument.self, from: Data(bytes))  // what is wrong with it is told below
        if let found, found.version > currentVersion {
            throw EngineError(.newer, "a later version of Berth has written '\(root)/\(name)': this one cannot read it")
        }
        guard let setting = found?.setting else {
            throw EngineError(
                .storage,
                "'\(root)/\(name)' is damaged: it says whether the host's firewall may be changed; remove it, and nothing of it is")
        }
        return setting
    }

    /// Writes it.
    ///
    /// - Throws: `storage`.
    func write(in root: String) throws(EngineError) {
        do {
            let bytes = Array(try JSONEncoder().encode(self))
            try unsafe Directory.open(root).replaceFile("firewall.json", with: bytes.span.bytes)
        } catch {
            throw EngineError(.storage, "cannot write '\(root)/\(Self.name)': \(error)", underlying: error as? Errno)
        }
    }
}

extension Engine {
    /// How the engine gets on with other people's firewalls.
    public var firewallSetting: FirewallSetting { chosenFirewall.withLock { $0 } }

    /// Has it get on with them otherwise, from now on and after the next start: unless that is opened with another setting. Repeating is fine.
    ///
    /// - Throws: `storage` if it cannot be kept, `runtime` if the kernel refuses; it may then be half so, and saying it again is right.
    public func setFirewall(_ setting: FirewallSetting) async throws(EngineError) {
        try FirewallDocument(setting).write(in: root)
        chosenFirewall.withLock { $0 = setting }
        do throws(NetworkError) { try await networks.setFirewall(setting) } catch { throw EngineError(.runtime, error.description) }
    }

    /// Has the rules in other people's chains as they were chosen, when the engine starts: also that there are none. Containers run on where that fails; it is told.
    func beginCooperation() async {
        do throws(NetworkError) { try await networks.setFirewall(firewallSetting) } catch {
            events.publish(
                Event(
                    type: "daemon", action: "warning", actorID: id,
                    attributes: ["message": "the host's firewall cannot be treated as was chosen: \(error)"]))
        }
    }

    /// What there is to be said of firewalls, now.
    ///
    /// - Throws: `runtime` if the host's rules cannot be read.
    public func firewallState() async throws(EngineError) -> EngineFirewall {
        do throws(NetworkError) {
            return EngineFirewall(
                setting: FirewallSetting(mode: firewallSetting.mode, protection: try await networks.firewallProtection()),
                table: networks.firewallTable,
                findings: try await networks.hostFirewallFindings(), rules: try await networks.rulesInHostFirewall())
        } catch { throw EngineError(.runtime, error.description) }
    }
}
