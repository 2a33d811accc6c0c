/// How programs of a kind call the kernel: `AUDIT_ARCH_…` of audit.h.
public enum SystemCallArchitecture: Hashable, Sendable, CaseIterable {
    /// 64 bits on x86.
    case x86_64
    /// 32 bits on x86.
    case i386
    /// 64 bits with short pointers: the calls of x86-64, with a bit set in the number.
    case x32
    /// 64 bits on ARM.
    case arm64

    /// What a filter sees as the architecture.
    public var auditNumber: UInt32 {
        switch self {
        case .x86_64, .x32: 0xc000_003e
        case .i386: 0x4000_0003
        case .arm64: 0xc000_00b7
        }
    }

    /// The bit in every number of x32.
    static var x32Bit: UInt32 { 0x4000_0000 }

    /// What this program itself is.
    public static var native: SystemCallArchitecture {
        #if arch(arm64)
            .arm64
        #else
            .x86_64
        #endif
    }

    /// The number of a call, as a filter sees it; `nil` where it does not exist.
    public func number(of name: String) -> UInt32? { SystemCallTable.shared.numbers[self]?[name] }
}

/// The table by name, parsed once.
private struct SystemCallTable {
    static let shared = SystemCallTable()
    let numbers: [SystemCallArchitecture: [String: UInt32]]

    private init() {
        var numbers: [SystemCallArchitecture: [String: UInt32]] = [:]
        let columns: [SystemCallArchitecture] = [.x86_64, .i386, .x32, .arm64]
        for line in "\(SystemCallNumbers.table)".split(separator: "\n") {
            let fields = line.split(separator: " ")
            for (column, text) in zip(columns, fields.dropFirst()) {
                guard let number = UInt32(text) else { continue }
                numbers[column, default: [:]][String(fields[0])] = column == .x32 ? number | SystemCallArchitecture.x32Bit : number
            }
        }
        self.numbers = numbers
    }
}
