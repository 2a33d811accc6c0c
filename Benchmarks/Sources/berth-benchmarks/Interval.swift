internal import Glibc

/// What the ratio of two rates is with 95 % confidence, as Student's distribution has it for the ratios of the rounds.
struct Interval: CustomStringConvertible {
    var low: Double
    var high: Double

    /// - Parameters:
    ///   - own: Of each round.
    ///   - other: What it is divided by, of the same rounds.
    /// - Returns: `nil` for fewer than two rounds.
    init?(of own: [Double], by other: [Double]) {
        let ratios = zip(own, other).map { $0 / $1 }
        guard ratios.count > 1 else { return nil }
        let count = Double(ratios.count)
        let mean = ratios.reduce(0, +) / count
        let variance = ratios.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        let half = Self.quantile(ratios.count - 1) * (variance / count).squareRoot()
        (low, high) = (mean - half, mean + half)
    }

    /// The 97.5 % quantile of Student's distribution, for so many degrees of freedom.
    private static func quantile(_ freedom: Int) -> Double {
        let table = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
            2.093,
        ]
        return freedom <= table.count ? table[freedom - 1] : 2.09
    }

    var description: String { "\(Text.number(low))…\(Text.number(high))" }
}
