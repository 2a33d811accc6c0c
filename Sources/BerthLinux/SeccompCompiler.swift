/// Classic BPF for a policy. Jumps forward only, by at most 255 on a condition: blocks are made from the last to the first, so that lengths are known.
struct SeccompCompiler {
    let policy: SeccompPolicy

    struct Instruction: Hashable {
        var code: UInt16
        var jumpTrue: UInt8 = 0
        var jumpFalse: UInt8 = 0
        var value: UInt32
    }
    typealias Block = [Instruction]

    /// What happens at a number.
    private enum Outcome: Hashable {
        case action(SeccompPolicy.Action)
        case rules([SeccompPolicy.Rule])
    }

    // linux/bpf_common.h
    private static let loadWord: UInt16 = 0x20
    private static let jumpAlways: UInt16 = 0x05
    private static let jumpEqual: UInt16 = 0x15
    private static let jumpGreater: UInt16 = 0x25
    private static let jumpGreaterOrEqual: UInt16 = 0x35
    private static let andConstant: UInt16 = 0x54
    private static let returnConstant: UInt16 = 0x06
    // struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits, little-endian.
    private static let numberOffset: UInt32 = 0
    private static let architectureOffset: UInt32 = 4
    private static let argumentsOffset: UInt32 = 16

    func program() throws(Errno) -> [UInt8] {
        var program: Block = [Instruction(code: Self.loadWord, value: Self.architectureOffset)]
        var byAudit: [(audit: UInt32, architectures: [SystemCallArchitecture])] = []
        for architecture in policy.architectures {
            if let index = byAudit.firstIndex(where: { $0.audit == architecture.auditNumber }) {
                byAudit[index].architectures.append(architecture)
            } else {
                byAudit.append((architecture.auditNumber, [architecture]))
            }
        }
        for (audit, architectures) in byAudit {
            let body = [Instruction(code: Self.loadWord, value: Self.numberOffset)] + (try search(try outcomes(of: architectures)[...]))
            // Another architecture goes on behind the body, which always ends in a result.
            program += [
                Instruction(code: Self.jumpEqual, jumpTrue: 1, value: audit), Instruction(code: Self.jumpAlways, value: UInt32(body.count)),
            ]
            program += body
        }
        program.append(Self.result(.killThread))
        guard program.count <= 4096 else { throw .E2BIG }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(program.count * 8)
        for instruction in program {
            bytes += [UInt8(truncatingIfNeeded: instruction.code), UInt8(truncatingIfNeeded: instruction.code >> 8)]
            bytes += [instruction.jumpTrue, instruction.jumpFalse]
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: instruction.value >> shift)) }
        }
        return bytes
    }

    // MARK: Numbers

    /// What happens from each number on, in order, up to the next.
    private func outcomes(of architectures: [SystemCallArchitecture]) throws(Errno) -> [(from: UInt32, outcome: Outcome)] {
        var exact: [UInt32: [SeccompPolicy.Rule]] = [:]
        var newest: [SystemCallArchitecture: UInt32] = [:]
        for architecture in architectures {
            for rule in policy.rules {
                for name in rule.names {
                    guard let number = architecture.number(of: name) else { continue }
                    exact[number, default: []].append(rule)
                    newest[architecture] = max(newest[architecture] ?? 0, number)
                }
            }
        }
        var result: [(from: UInt32, outcome: Outcome)] = []
        func add(_ from: UInt32, _ outcome: Outcome) {
            if let last = result.last, last.from == from { result.removeLast() }
            if result.last?.outcome != outcome { result.append((from, outcome)) }
        }
        let standard = Outcome.action(policy.defaultAction)
        let missing = policy.failsNewerCallsAsMissing && policy.defaultAction != .allow ? Outcome.action(.fail(38)) : standard
        add(0, architectures.contains { $0 != .x32 } ? standard : .action(.killThread))
        let first = newest.filter { $0.key != .x32 }.values.max()
        for number in exact.keys.sorted() {
            if number >= SystemCallArchitecture.x32Bit, result.last!.from < SystemCallArchitecture.x32Bit {
                add(SystemCallArchitecture.x32Bit, standard)
            }
            add(number, outcome(exact[number]!))
            add(number + 1, number == first || number == newest[.x32] ? missing : standard)
        }
        if architectures.contains(.x86_64) && !architectures.contains(.x32) {
            // What has the bit is none of ours.
            add(SystemCallArchitecture.x32Bit, .action(.killThread))
        }
        return result
    }

    private func outcome(_ rules: [SeccompPolicy.Rule]) -> Outcome {
        if let always = rules.first(where: { $0.conditions.isEmpty }) { return .action(always.action) }
        return .rules(rules)
    }

    /// Finds the interval that the number is in, by halving.
    private func search(_ intervals: ArraySlice<(from: UInt32, outcome: Outcome)>) throws(Errno) -> Block {
        guard intervals.count > 1 else { return try block(intervals.first!.outcome) }
        let middle = intervals.startIndex + intervals.count / 2
        return Self.branch(
            Self.jumpGreaterOrEqual, intervals[middle].from, ifTrue: try search(intervals[middle...]),
            ifFalse: try search(intervals[..<middle]))
    }

    // MARK: Actions

    private static func result(_ action: SeccompPolicy.Action) -> Instruction { Instruction(code: returnConstant, value: action.word) }

    private func block(_ outcome: Outcome) throws(Errno) -> Block {
        switch outcome {
        case .action(let action): return [Self.result(action)]
        case .rules(let rules):
            var next = [Self.result(policy.defaultAction)]
            for rule in rules.reversed() { next = try conditional(rule, otherwise: next) }
            return next
        }
    }

    /// The rule's action if all of its conditions hold, else what comes next.
    private func conditional(_ rule: SeccompPolicy.Rule, otherwise: Block) throws(Errno) -> Block {
        // From the last condition to the first: each that holds falls into what was made before, each that does not goes past it all.
        var block = [Self.result(rule.action)]
        for condition in rule.conditions.reversed() {
            block = try Self.test(condition, then: block)
        }
        return Self.link(block) + otherwise
    }

    /// An instruction that goes past the end of its block: replaced by ``link(_:)`` when its length is known.
    private static let pastEnd = Instruction(code: 0xffff, value: 0)

    /// Goes on with `then` if the condition holds, else past its end.
    private static func test(_ condition: SeccompPolicy.Condition, then: Block) throws(Errno) -> Block {
        guard (0..<6).contains(condition.argument) else { throw .EINVAL }
        let low = argumentsOffset + UInt32(condition.argument) * 8
        let (high, fail) = (low + 4, [pastEnd])
        let (lowValue, highValue) = (UInt32(truncatingIfNeeded: condition.value), UInt32(truncatingIfNeeded: condition.value >> 32))
        func load(_ offset: UInt32) -> Instruction { Instruction(code: loadWord, value: offset) }
        switch condition.comparison {
        case .equal:
            return [load(high)]
                + branch(
                    jumpEqual, highValue, ifTrue: [load(low)] + branch(jumpEqual, lowValue, ifTrue: then, ifFalse: fail), ifFalse: fail)
        case .notEqual:
            // Either half may differ; `then` stands twice rather than being jumped to across.
            return [load(high)]
                + branch(
                    jumpEqual, highValue, ifTrue: [load(low)] + branch(jumpEqual, lowValue, ifTrue: fail, ifFalse: then), ifFalse: then)
        case .equalUnder(let mask):
            let (lowMask, highMask) = (UInt32(truncatingIfNeeded: mask), UInt32(truncatingIfNeeded: mask >> 32))
            return [load(high), Instruction(code: andConstant, value: highMask)]
                + branch(
                    jumpEqual, highValue,
                    ifTrue: [load(low), Instruction(code: andConstant, value: lowMask)]
                        + branch(jumpEqual, lowValue, ifTrue: then, ifFalse: fail),
                    ifFalse: fail)
        case .greater, .greaterOrEqual:
            let code = condition.comparison == .greater ? jumpGreater : jumpGreaterOrEqual
            let sameHigh = branch(
                jumpEqual, highValue, ifTrue: [load(low)] + branch(code, lowValue, ifTrue: then, ifFalse: fail), ifFalse: fail)
            return [load(high)] + branch(jumpGreater, highValue, ifTrue: then, ifFalse: sameHigh)
        case .less, .lessOrEqual:
            let code = condition.comparison == .less ? jumpGreaterOrEqual : jumpGreater
            let sameHigh = branch(
                jumpEqual, highValue, ifTrue: [load(low)] + branch(code, lowValue, ifTrue: fail, ifFalse: then), ifFalse: then)
            return [load(high)] + branch(jumpGreater, highValue, ifTrue: fail, ifFalse: sameHigh)
        }
    }

    private static func link(_ block: Block) -> Block {
        var linked = block
        for index in block.indices where block[index] == pastEnd {
            linked[index] = Instruction(code: jumpAlways, value: UInt32(block.count - index - 1))
        }
        return linked
    }

    /// A jump on a condition to either of two blocks, neither of which falls through.
    private static func branch(_ code: UInt16, _ value: UInt32, ifTrue: Block, ifFalse: Block) -> Block {
        if ifFalse.count <= 255 {
            return [Instruction(code: code, jumpTrue: UInt8(ifFalse.count), value: value)] + ifFalse + ifTrue
        }
        return [Instruction(code: code, jumpFalse: 1, value: value), Instruction(code: jumpAlways, value: UInt32(ifFalse.count))] + ifFalse
            + ifTrue
    }
}
