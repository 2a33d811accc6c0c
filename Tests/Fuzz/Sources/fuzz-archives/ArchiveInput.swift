internal import BerthContent
@testable internal import BerthImages
internal import BerthOCI

/// Finds out what images an archive has, by its layout, by Docker's manifest, and by what Docker had before: the first byte says for which platform.
func findImages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start = unsafe start, count > 0 else { return 0 }
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let platforms = [nil, Platform.host, Platform(os: "linux", architecture: "arm64"), Platform(os: "windows", architecture: "amd64")]
    do throws(ImageError) {
        guard let found = try FoundArchive.all(in: InputParts(bytes.dropFirst()), for: platforms[Int(bytes[0] % 4)]) else { return 0 }
        precondition(found.images.count <= FoundImage.maximumCount, "no archive has more images than are loaded")
        for image in found.images {
            precondition(
                Digest(of: image.configurationBytes, image.id.algorithm) == image.id, "an image's id is its configuration's digest")
            precondition(image.layers.count == image.configuration.diffIDs.count, "an image has as many layers as its configuration says")
            precondition(image.layers.count <= FoundImage.maximumLayerCount, "no image has more layers than can lie on each other")
            precondition(image.names.allSatisfy { $0.digest == nil && $0.tag != nil }, "what is loaded is named by tags")
            for layer in image.layers {
                precondition(!layer.path.split(separator: "/").contains(".."), "no layer lies outside of the archive")
            }
        }
    } catch {
        precondition(!error.description.isEmpty && error.description.utf8.count < 16_384, "an error says something, and comes to an end")
    }
    return 0
}
