internal import CBerth
internal import Glibc

extension OwnedDescriptor {
    /// The extended attributes of an open file, with their values. Empty where the file system has none.
    ///
    /// - Throws: `EILSEQ` for a name that is no UTF-8.
    public borrowing func extendedAttributes() throws(Errno) -> [String: [UInt8]] {
        try withRawDescriptor { (raw) throws(Errno) in
            try unsafe Self.attributes(
                list: { unsafe berth_flistxattr(raw, $0, $1) }, value: { unsafe berth_fgetxattr(raw, $0, $1, $2) })
        }
    }

    /// What both kinds of calls have in common. Most files have no attributes, and are asked once.
    static func attributes(
        list: (UnsafeMutablePointer<CChar>?, Int) -> Int,
        value: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
    ) throws(Errno) -> [String: [UInt8]] {
        let size: Int
        do throws(Errno) { size = try check { list(nil, 0) } } catch {
            if error == .EOPNOTSUPP { return [:] }
            throw error
        }
        guard size > 0 else { return [:] }
        var names = [CChar](repeating: 0, count: 65536)  // XATTR_LIST_MAX: it may have grown meanwhile
        let count = try check { unsafe list(&names, 65536) }
        var found: [String: [UInt8]] = [:]
        var bytes = [UInt8](repeating: 0, count: 65536)  // XATTR_SIZE_MAX
        for name in names[..<count].split(separator: 0) {
            guard let text = String(validating: name.map { UInt8(bitPattern: $0) }, as: UTF8.self) else { throw .EILSEQ }
            do throws(Errno) {
                let length = try unsafe PathBytes(text).withCString { (name) throws(Errno) in
                    try check { unsafe value(name, &bytes, 65536) }
                }
                found[text] = Array(bytes[..<length])
            } catch {
                // It has been taken away meanwhile.
                guard error == .ENODATA else { throw error }
            }
        }
        return found
    }
}

extension Directory {
    /// The extended attributes of a name, with their values, never following a link. An empty name is the directory itself.
    ///
    /// - Throws: `EILSEQ` for an attribute's name that is no UTF-8.
    public borrowing func extendedAttributes(of name: PathBytes) throws(Errno) -> [String: [UInt8]] {
        try requireNameOrEmpty(name)
        return try descriptor.withRawDescriptor { (directory) throws(Errno) in
            try unsafe name.withCString { (name) throws(Errno) in
                try unsafe OwnedDescriptor.attributes(
                    list: { unsafe berth_llistxattrat(directory, name, $0, $1) },
                    value: { unsafe berth_lgetxattrat(directory, name, $0, $1, $2) })
            }
        }
    }
}
