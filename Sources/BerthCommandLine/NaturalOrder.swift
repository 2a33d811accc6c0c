/// The order in which names with numbers in them are listed: `n2` before `n10`.
public enum NaturalOrder {
    /// Whether one text comes before another: digits before everything else, numbers by value, then by fewer leading zeros.
    public static func isBefore(_ a: String, _ b: String) -> Bool {
        let (left, right) = (Array(a.utf8), Array(b.utf8))
        var (i, j) = (0, 0)
        while i < left.count, j < right.count {
            let areDigits = (isDigit(left[i]), isDigit(right[j]))
            guard areDigits.0 == areDigits.1 else { return areDigits.0 }
            guard areDigits.0 else {
                guard left[i] == right[j] else { return left[i] < right[j] }
                (i, j) = (i + 1, j + 1)
                continue
            }
            let (first, second) = (number(left, from: i), number(right, from: j))
            guard first.digits.count == second.digits.count else { return first.digits.count < second.digits.count }
            guard first.digits == second.digits else { return first.digits.lexicographicallyPrecedes(second.digits) }
            guard first.zeros == second.zeros else { return first.zeros < second.zeros }
            (i, j) = (first.digits.endIndex, second.digits.endIndex)
        }
        return left.count < right.count
    }

    private static func number(_ text: [UInt8], from start: Int) -> (zeros: Int, digits: ArraySlice<UInt8>) {
        let begin = text[start...].firstIndex { $0 != UInt8(ascii: "0") } ?? text.count
        return (begin - start, text[begin...].prefix(while: isDigit))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
