internal import BerthNetlink

/// Follows a packet that is not there through a chain of other people's.
///
/// What a rule asks and is not known of the packet is taken to be otherwise: a rule for one sender, or for a few packets a second, lets nobody through who
/// comes with a packet like this one.
struct RuleWalk {
    /// What becomes of the packet.
    enum End: Hashable {
        /// It goes on.
        case passes
        /// It vanishes, by a rule of this chain.
        case dropped(by: NfName)
        /// It vanishes, because no rule says anything.
        case droppedByPolicy
    }
    /// What a rule does.
    private enum Decision {
        case none
        case passes
        case drops
        case returns
        case jump(NfName, returns: Bool)
    }

    let rules: ForeignRules
    let packet: SamplePacket
    /// The comment of rules that are taken not to be there.
    let ignored: String?
    /// What is left to be looked at: a chain may be jumped to from many places.
    private var budget = 1_000_000
    /// The kernel allows as many jumps within each other.
    private static let mostJumps = 16

    init(_ rules: ForeignRules, _ packet: SamplePacket, ignoring ignored: String?) {
        (self.rules, self.packet, self.ignored) = (rules, packet, ignored)
    }

    /// Follows it through a base chain.
    ///
    /// - Returns: what becomes of it, and, if a rule drops it, in front of which rule of the base chain one would have to stand that lets it through.
    mutating func follow(_ base: ForeignRules.Base) -> (end: End, rule: NfRule?) {
        let version = packet.version == .v4 ? NfFamily.ipv4 : .ipv6
        guard base.table.id.family == .inet || base.table.id.family == version else { return (.passes, nil) }
        for rule in rules.rules(of: base.chain.name, in: base.table.id) {
            switch step(rule, depth: 0) {
            case .goesOn(isLast: false): continue
            case .goesOn(isLast: true): return (byPolicy(base), rule)
            case .end(.passes): return (.passes, nil)
            case .end(let end): return (end, rule)
            }
        }
        return (byPolicy(base), nil)
    }

    private func byPolicy(_ base: ForeignRules.Base) -> End { base.chain.base?.policy == .drop ? .droppedByPolicy : .passes }

    private enum RuleStep {
        case goesOn(isLast: Bool)
        case end(End)
    }

    private mutating func step(_ rule: NfRule, depth: Int) -> RuleStep {
        if let ignored, rule.carries(ignored) { return .goesOn(isLast: false) }
        switch decision(of: rule) {
        case .none: return .goesOn(isLast: false)
        case .passes: return .end(.passes)
        case .drops: return .end(.dropped(by: rule.chain))
        case .returns: return .goesOn(isLast: true)
        case .jump(let chain, let returns):
            guard depth < Self.mostJumps else { return .goesOn(isLast: !returns) }
            for inner in rules.rules(of: chain, in: rule.table) {
                switch step(inner, depth: depth + 1) {
                case .goesOn(isLast: false): continue
                case .goesOn(isLast: true): return .goesOn(isLast: !returns)
                case .end(let end): return .end(end)
                }
            }
            return .goesOn(isLast: !returns)
        }
    }

    private mutating func decision(of rule: NfRule) -> Decision {
        budget -= 1
        guard budget > 0 else { return .none }
        var registers = PartlyKnown.unknown(Self.registerByteCount)
        for step in rule.steps {
            switch step {
            case .meta(let key, let into): registers.replace(into.offset, with: packet.fact(key))
            case .connection(let key, nil, let into): registers.replace(into.offset, with: packet.fact(key))
            case .connection(_, _, let into): registers.replace(into.offset, with: .unknown(16))
            case .payload(let header, let offset, let count, let into):
                let length = min(Int(count), Self.registerByteCount)
                let part = header == .network ? packet.header.part(Int(offset), length) : .unknown(length)
                registers.replace(into.offset, with: part)
            case .bitwise(let from, let into, let mask, let flipping):
                registers.replace(into.offset, with: registers.part(from.offset, mask.count).masked(mask, flipping: flipping))
            case .immediate(let bytes, let into): registers.replace(into.offset, with: PartlyKnown(bytes))
            case .fib(_, _, let into): registers.replace(into.offset, with: .unknown(16))
            case .compare(let register, let comparison, let bytes):
                guard Self.compare(registers.part(register.offset, bytes.count), comparison, bytes) == true else { return .none }
            case .range(let register, let isInside, let low, let high):
                guard registers.part(register.offset, low.count).isWithin(low, high) == isInside else { return .none }
            case .lookup(let set, let key, let into, let isInverted):
                guard let found = lookUp(set, of: rule.table, registers, key) else { return .none }
                switch found {
                case .missing: guard isInverted else { return .none }
                case .element(let data):
                    if isInverted { return .none }
                    guard let into, let data else { continue }
                    switch data {
                    case .value(let bytes): registers.replace(into.offset, with: PartlyKnown(bytes))
                    case .verdict(let verdict): return decision(verdict)
                    }
                }
            case .verdict(let verdict): return decision(verdict)
            case .reject: return .drops
            case .extensionMatch(let match): guard holds(match) else { return .none }
            case .extensionTarget(let target):
                // Others note or mark.
                if target.name == "REJECT" { return .drops }
            case .setMeta, .counter, .untracked, .nat, .masquerade, .redirect: continue
            case .other(let name):
                // What only notes does not ask; what asks for something else is not known.
                guard Self.notes.contains(name) else { return .none }
            }
        }
        return .none
    }

    /// Steps after which a rule goes on in any case.
    private static let notes: Set<String> = ["log", "objref", "last"]
    private static let registerByteCount = 64

    private func decision(_ verdict: NfVerdict) -> Decision {
        switch verdict {
        case .accept: .passes
        case .drop: .drops
        case .jump(let chain): .jump(chain, returns: true)
        case .goto(let chain): .jump(chain, returns: false)
        case .return: .returns
        case .continue: .none
        // A program decides, which is asked for each packet.
        case .other: .passes
        }
    }

    private static func compare(_ value: PartlyKnown, _ comparison: NfExpression.Comparison, _ bytes: [UInt8]) -> Bool? {
        switch comparison {
        case .equal: return value.equals(bytes)
        case .notEqual: return value.equals(bytes).map { !$0 }
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard value.isKnown else { return nil }
            let (isLess, isGreater) = (value.bytes.lexicographicallyPrecedes(bytes), bytes.lexicographicallyPrecedes(value.bytes))
            return switch comparison {
            case .less: isLess
            case .lessOrEqual: !isGreater
            case .greater: isGreater
            default: !isLess
            }
        }
    }

    private enum Found {
        case missing
        case element(NfData?)
    }

    /// Looks a key up; `nil` if it is not known whether it is there.
    private mutating func lookUp(_ set: NfName, of table: NfTableName, _ registers: PartlyKnown, _ key: NfRegister) -> Found? {
        guard let elements = rules.elements(of: set, in: table) else { return nil }
        var isCertain = true
        for element in elements {
            budget -= 1
            guard budget > 0 else { return nil }
            let value = registers.part(key.offset, element.key.count)
            // Of a key of several parts, each would have to be within its own range.
            let isIt = element.lastKey.map { value.isWithin(element.key, $0) } ?? value.equals(element.key)
            switch isIt {
            case true?: return .element(element.data)
            case false?: continue
            case nil: isCertain = false
            }
        }
        return isCertain ? .missing : nil
    }

    /// Whether a match of iptables' holds; one that is not known here does not.
    private func holds(_ match: NfExtension) -> Bool {
        switch match.name {
        case "comment": true
        case "conntrack": ConntrackMatch(match.data).map { $0.holds(of: packet) } ?? false
        case "tcp": TCPMatch.isForEveryPort(match.data)
        default: false
        }
    }
}

extension NfRegister {
    /// Where its bytes are, of the 64 that there are.
    var offset: Int { number <= 4 ? Int(max(number, 1) - 1) * 16 : min(Int(number - 8) * 4, 60) }
}
