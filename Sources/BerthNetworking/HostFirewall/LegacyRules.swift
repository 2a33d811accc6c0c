internal import BerthNetlink

/// The kernel's older rules, of iptables-legacy's: what they would do with a packet that is not there.
struct LegacyRules {
    /// A rule, as it lies in the table.
    private struct Entry {
        var interfaceMatches: Bool
        var addressMatches: Bool
        var asksUnknown: Bool
        var goes: Bool
        var target: String
        var verdict: Int32?
        var next: Int
        var matches: [NfExtension]
    }

    private let table: LegacyTable

    init(_ table: LegacyTable) { self.table = table }

    private static let forward = 2
    /// How many rules are looked at, jumps within each other included.
    private static let budget = 100_000
    private static let mostJumps = 64

    /// Why the packet vanishes; `nil` if it passes, or if the table makes no sense.
    func drop(_ packet: SamplePacket) -> String? {
        guard table.entries.count == 5, table.policies.count == 5 else { return nil }
        let policy = table.policies[Self.forward]
        var (offset, stack) = (table.entries[Self.forward], [Int]())
        for _ in 0..<Self.budget {
            guard let entry = entry(at: offset, packet) else { return nil }
            let isPolicy = offset == policy && stack.isEmpty
            guard entry.interfaceMatches, entry.addressMatches, !entry.asksUnknown, entry.matches.allSatisfy({ Self.holds($0, packet) })
            else {
                offset = entry.next
                continue
            }
            guard let verdict = entry.verdict else {
                // Of the targets that are no verdict, only these end it.
                if entry.target == "REJECT" { return "a rule rejects what no rule before lets through" }
                if entry.target == "ERROR" { return nil }
                offset = entry.next
                continue
            }
            switch verdict {
            case -1: return isPolicy ? "its policy is to drop what no rule lets through" : "a rule drops what no rule before lets through"
            case -2, -4: return nil
            case -5:
                guard let back = stack.popLast() else {
                    // A return from the chain itself is its policy.
                    offset = policy
                    continue
                }
                offset = back
            case let jump where jump >= 0:
                if Int(jump) != entry.next, !entry.goes {
                    guard stack.count < Self.mostJumps else { return nil }
                    stack.append(entry.next)
                }
                offset = Int(jump)
            default: return nil
            }
        }
        return nil
    }

    private static func holds(_ match: NfExtension, _ packet: SamplePacket) -> Bool {
        switch match.name {
        case "comment": true
        case "conntrack": ConntrackMatch(match.data).map { $0.holds(of: packet) } ?? false
        case "tcp": TCPMatch.isForEveryPort(match.data)
        default: false
        }
    }

    // MARK: The table's bytes

    private func number(_ offset: Int, _ count: Int) -> Int? {
        guard offset >= 0, offset + count <= table.bytes.count else { return nil }
        return (0..<count).reduce(0) { $0 | Int(table.bytes[offset + $1]) << ($1 * 8) }
    }

    private func bytes(_ offset: Int, _ count: Int) -> [UInt8]? {
        guard offset >= 0, count >= 0, offset + count <= table.bytes.count else { return nil }
        return Array(table.bytes[offset..<(offset + count)])
    }

    private func entry(at offset: Int, _ packet: SamplePacket) -> Entry? {
        let (isV4, width) = (table.version == .v4, table.version == .v4 ? 4 : 16)
        // The fixed part: addresses and their masks, interfaces and theirs, protocol, flags; then where target and next rule are.
        let (interfaces, offsets, fixed) = (width * 4, isV4 ? 88 : 140, isV4 ? 112 : 168)
        let (flagsAt, transportAt) = (isV4 ? 82 : 131, interfaces + 64)
        guard let source = bytes(offset, width), let destination = bytes(offset + width, width),
            let sourceMask = bytes(offset + 2 * width, width), let destinationMask = bytes(offset + 3 * width, width),
            let names = bytes(offset + interfaces, 64), let transport = number(offset + transportAt, 2),
            let flags = number(offset + flagsAt, 1), let inverted = number(offset + flagsAt + 1, 1),
            let targetAt = number(offset + offsets, 2), let length = number(offset + offsets + 2, 2),
            targetAt >= fixed, length > targetAt, let targetSize = number(offset + targetAt, 2), targetSize >= 32,
            let targetName = bytes(offset + targetAt + 2, 29)
        else { return nil }
        let isIn = Self.isNamed(packet.input.name, names[0..<16], names[32..<48]) != (inverted & 0x01 != 0)
        let isOut = Self.isNamed(packet.output.name, names[16..<32], names[48..<64]) != (inverted & 0x02 != 0)
        func isAt(_ prefix: IPPrefix?, _ address: [UInt8], _ mask: [UInt8], _ inversion: Int) -> Bool {
            let value = prefix.map { PartlyKnown($0) } ?? .unknown(width)
            let flipped = [UInt8](repeating: 0, count: width)
            guard let isIt = value.masked(mask, flipping: flipped).equals(address) else { return false }
            return isIt != (inverted & inversion != 0)
        }
        let isThere = isAt(packet.source, source, sourceMask, 0x08) && isAt(packet.destination, destination, destinationMask, 0x10)
        let asksForTransport = isV4 ? transport != 0 : flags & 0x01 != 0 && transport != 0
        let isTransport = !asksForTransport || (transport == Int(SamplePacket.transport)) != (inverted & 0x40 != 0)
        var matches: [NfExtension] = []
        var at = offset + fixed
        while at < offset + targetAt {
            guard let size = number(at, 2), size >= 32, at + size <= offset + targetAt, let name = bytes(at + 2, 29),
                let data = bytes(at + 32, size - 32)
            else { return nil }
            matches.append(NfExtension(Self.text(name), revision: 0, data: data))
            at += size
        }
        let name = Self.text(targetName)
        let verdict = name.isEmpty ? number(offset + targetAt + 32, 4).map { Int32(truncatingIfNeeded: $0) } : nil
        let goes = isV4 ? flags & 0x02 != 0 : flags & 0x04 != 0
        // A type of service, or fragments behind the first: what comes here is neither.
        let asksUnknown = isV4 ? flags & 0x01 != 0 : flags & 0x02 != 0
        return Entry(
            interfaceMatches: isIn && isOut, addressMatches: isThere && isTransport, asksUnknown: asksUnknown, goes: goes, target: name,
            verdict: verdict, next: offset + length, matches: matches)
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    private static func isNamed(_ name: InterfaceName, _ wanted: ArraySlice<UInt8>, _ mask: ArraySlice<UInt8>) -> Bool {
        zip(NfValue.interfaceName(name), zip(wanted, mask)).allSatisfy { own, pair in (own ^ pair.0) & pair.1 == 0 }
    }
}

extension LegacyRules {
    /// What the older rules drop of some packets.
    static func findings(_ samples: [SamplePacket.Way], in namespace: NamespaceHandle?) throws(NetworkError) -> [HostFirewall.Finding] {
        let read: @Sendable () throws(NetlinkError) -> [LegacyTable] = { () throws(NetlinkError) in
            var tables: [LegacyTable] = []
            for version in IPAddress.Version.allCases {
                // Only `filter` is asked for: the others have no chain that is for dropping.
                if let table = try LegacyTable.read("filter", version) { tables.append(table) }
            }
            return tables
        }
        let tables: [LegacyTable]
        do throws(NetlinkError) { tables = if let namespace { try namespace.run(read) } else { try read() } } catch {
            throw NetworkError(error)
        }
        return tables.compactMap { table in
            let rules = LegacyRules(table)
            var (bridges, ways, reasons) = (Set<String>(), Set<HostFirewall.Way>(), Set<String>())
            for sample in samples where sample.packet.version == table.version {
                guard let reason = rules.drop(sample.packet) else { continue }
                bridges.insert(sample.bridge.description)
                ways.insert(sample.way)
                reasons.insert(reason)
            }
            guard let why = reasons.sorted().first else { return nil }
            let family: NfFamily = table.version == .v4 ? .ipv4 : .ipv6
            let remedy = Remedy(owner: .legacy, family: family, table: "filter", chain: "FORWARD", ways: ways)
            return HostFirewall.Finding(
                family: family.description, table: "filter", chain: "FORWARD", owner: .legacy, bridges: bridges.sorted(), ways: ways,
                why: why, remedy: remedy.text(bridges.sorted()))
        }
    }
}
