internal import CBerth
internal import Glibc

extension OwnedDescriptor {
    /// Copies all of a regular file into an empty one. Holes stay holes; blocks are shared where the file system can.
    ///
    /// Both descriptors' positions are somewhere afterwards. On failure part of it may have been written.
    public borrowing func copyContents(to target: borrowing OwnedDescriptor) throws(Errno) {
        let byteCount = try status().byteCount
        guard byteCount > 0 else { return }
        if try sharesBlocks(with: target) { return }
        var position: Int64 = 0
        while position < byteCount, let data = try nextData(from: position) {
            try seek(to: data.lowerBound)
            try target.seek(to: data.lowerBound)
            try copy(Int64(data.count), to: target)
            position = data.upperBound
        }
        try target.truncate(to: byteCount)
    }

    /// The next piece of a file that is no hole, from a position on; `nil` if nothing but holes follows. The descriptor's position is somewhere afterwards.
    public borrowing func nextData(from position: Int64) throws(Errno) -> Range<Int64>? {
        guard let begin = try next(3 /* SEEK_DATA */, from: position) else { return nil }
        // Behind data there is always a hole, if only the end.
        guard let end = try next(4 /* SEEK_HOLE */, from: begin), end > begin else { return nil }
        return begin..<end
    }

    /// Where data, or a hole, begins; `nil` if there is none up to the end.
    private borrowing func next(_ what: CInt, from position: Int64) throws(Errno) -> Int64? {
        do {
            return Int64(try withRawDescriptor { (raw) throws(Errno) in try check { lseek(raw, off_t(position), what) } })
        } catch {
            if error == .ENXIO { return nil }
            throw error
        }
    }

    private borrowing func sharesBlocks(with target: borrowing OwnedDescriptor) throws(Errno) -> Bool {
        try SystemCallSeam.pass("ioctl:clone")
        // What cannot be shared is copied: the copy finds out what is wrong, if something is.
        return withRawDescriptor { source in target.withRawDescriptor { berth_clone_file($0, source) == 0 } }
    }

    private borrowing func copy(_ byteCount: Int64, to target: borrowing OwnedDescriptor) throws(Errno) {
        var left = Int(byteCount)
        try SystemCallSeam.pass("write")
        do {
            while left > 0 {
                let count = try withRawDescriptor { (source) throws(Errno) in
                    try target.withRawDescriptor { (target) throws(Errno) in
                        try check { berth_copy_file_range(source, target, min(left, 1 << 30)) }
                    }
                }
                if count == 0 { break }
                left -= count
            }
        } catch {
            // Some file systems cannot, or not between these two.
            guard [.EXDEV, .EINVAL, .EOPNOTSUPP, .ENOSYS].contains(error) else { throw error }
        }
        var buffer = [UInt8](repeating: 0, count: left > 0 ? min(left, 256 << 10) : 0)
        while left > 0 {
            let wanted = min(left, buffer.count)
            let count = try withRawDescriptor { (raw) throws(Errno) in try check { unsafe Glibc.read(raw, &buffer, wanted) } }
            if count == 0 { return }  // it has become shorter meanwhile
            try unsafe target.writeAll(buffer.span.extracting(0..<count).bytes)
            left -= count
        }
    }
}
