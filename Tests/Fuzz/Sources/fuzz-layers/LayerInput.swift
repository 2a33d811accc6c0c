@testable internal import BerthLayers
internal import BerthLinux
internal import BerthSnapshots
internal import BerthTar
internal import FuzzBytes
internal import Glibc

/// Unpacks a layer onto a small tree in the directory that this runs in: the first byte says how whiteouts are written down, and what names with a slash
/// in front are. Nothing lies beside the tree afterwards, and in it no name that is an instruction.
func unpackLayer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start = unsafe start, count > 0 else { return 0 }
    var bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let kind = bytes.removeFirst()
    mendChecksums(&bytes)
    do throws(Errno) {
        let place = try Directory.open(".")
        let rules = LayerRules(style: kind & 1 == 0 ? .removal : .overlay, kind & 2 == 0 ? .refused : .beneathRoot)
        let extractor = TreeExtractor(
            into: try lowerTree(in: place), screen: { (entry, path) throws(TarError) in try rules.isAllowed(entry, at: path) },
            filter: { (entry, path, parent) throws(TarError) in try rules.isToBeUnpacked(entry, at: path, in: parent) })
        let isWhole = unsafe bytes.withUnsafeBytes { isTaken(TarReader(unsafe PieceSource($0)), by: extractor) }
        let names = try place.entries().map(\.name)
        precondition(names == ["root"], "a layer has written outside of its root")
        if isWhole { try requireNoInstruction(in: place.openDirectory("root")) }
        try place.removeTree("root")
    } catch { preconditionFailure("the tree cannot be made, looked at or removed: \(error)") }
    return 0
}

/// What the layers below have: names that inputs can mean.
private func lowerTree(in place: borrowing Directory) throws(Errno) -> Directory {
    let root = try place.makeDirectories("root")
    let directory = try root.makeDirectories("d/e")
    _ = try directory.createFile("below")
    _ = try root.createFile("file")
    return root
}

private func isTaken(_ reader: TarReader, by extractor: TreeExtractor) -> Bool {
    do throws(TarError) {
        try extractor.extractAll(reader)
        return true
    } catch {
        precondition(!error.description.isEmpty, "an error says something")
        return false
    }
}

private func requireNoInstruction(in directory: borrowing Directory) throws(Errno) {
    for entry in try directory.entries() {
        precondition(!entry.name.bytes.starts(with: Whiteout.prefix), "a whiteout was unpacked as a file")
        if try directory.status(entry.name).kind == .directory { try requireNoInstruction(in: directory.openDirectory(entry.name)) }
    }
}
