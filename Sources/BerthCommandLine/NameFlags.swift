/// What flags say of names: hosts, name servers, domains, links, labels, hardware addresses.
public enum NameFlags {
    /// `--add-host name:address`, or with `=` between; the address may be in brackets, or `host-gateway`.
    ///
    /// - Returns: `name:address`, as the Engine API has it.
    public static func extraHost(_ text: String) throws(ValueMistake) -> String {
        let separator: Character = text.contains("=") ? "=" : ":"
        let parts = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains(":") else {
            throw ValueMistake("bad format for add-host: \(ValueKind.quoted(text))")
        }
        var address = parts[1]
        if address != "host-gateway" {
            if address.utf8.count > 2, address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
            // The address stays as it was typed: it is what is looked for in the answers.
            guard IPText(parsing: trimmed(address)) != nil else {
                throw ValueMistake("invalid IP address in add-host: \(ValueKind.quoted(String(address)))")
            }
        }
        return "\(parts[0]):\(address)"
    }

    /// An address of `--dns`, written the one way that there is.
    public static func address(_ text: String) throws(ValueMistake) -> String {
        guard let address = IPText(parsing: trimmed(text[...])) else {
            throw ValueMistake("IP address is not correctly formatted: \(text)")
        }
        return address.description
    }

    /// A domain of `--dns-search`, without the dot at its end; a dot alone is no domain at all.
    public static func searchDomain(_ text: String) throws(ValueMistake) -> String {
        var domain = text[...]
        while domain.first == " " { domain = domain.dropFirst() }
        while let last = domain.last, last == " " || last == "\t" { domain = domain.dropLast() }
        if domain == "." { return "." }
        if domain.hasSuffix(".") { domain = domain.dropLast() }
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        let isDomain = labels.allSatisfy { label in
            label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") } && !label.hasPrefix("-") && !label.hasSuffix("-")
                && !label.isEmpty
        }
        guard isDomain, domain.utf8.contains(where: { isAlphanumeric($0) && !(48...57).contains($0) }), domain.utf8.count < 255 else {
            throw ValueMistake("\(text) is not a valid domain")
        }
        return String(domain)
    }

    /// `--link name[:alias]`, as it is.
    public static func link(_ text: String) throws(ValueMistake) -> String {
        guard !text.isEmpty else { throw ValueMistake("empty string specified for links") }
        guard text.split(separator: ":", omittingEmptySubsequences: false).count <= 2 else {
            throw ValueMistake("bad format for links: \(text)")
        }
        return text
    }

    /// `--label name[=value]`, as it is.
    public static func label(_ text: String) throws(ValueMistake) -> String {
        let name = text.prefix { $0 != "=" }.drop { $0 == " " || $0 == "\t" }
        guard !name.isEmpty else { throw ValueMistake("invalid label '\(text)': empty name") }
        guard !name.contains(where: { $0 == " " || $0 == "\t" }) else { throw ValueMistake("label '\(name)' contains whitespaces") }
        return text
    }

    /// A hardware address: bytes in hexadecimal with `:` or `-` between them, or pairs of bytes with `.`.
    ///
    /// - Returns: it as it is.
    public static func macAddress(_ text: String) throws(ValueMistake) -> String {
        let address = trimmed(text[...])
        let separator = address.first { !$0.isHexDigit } ?? ":"
        let groups = address.split(separator: separator, omittingEmptySubsequences: false)
        let width = separator == "." ? 4 : 2
        guard ":-.".contains(separator), [6, 8, 20].contains(groups.count * width / 2),
            groups.allSatisfy({ $0.utf8.count == width && $0.utf8.allSatisfy(IPText.isHexadecimal) })
        else { throw ValueMistake("\(text) is not a valid mac address") }
        return text
    }

    /// Several values of a flag, each checked and put in its form.
    public static func all(
        _ texts: [String], flag: String, _ check: (String) throws(ValueMistake) -> String
    ) throws(CommandLineError) -> [String] {
        var result: [String] = []
        for text in texts {
            do throws(ValueMistake) { result.append(try check(text)) } catch { throw error.of(text, for: flag) }
        }
        return result
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }
}
