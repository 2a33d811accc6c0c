// Cases that are one fault each, in several places or sizes: they may have the same text.
extension Refusal {
    static let sameFaults: [Set<String>] = [
        ["fewer layers than diff ids", "more diff ids than layers"],
        ["repositories that call one image by too many names", "too many names", "an index whose image has too many names"],
        [
            "a layer that is a directory", "a layer that is a link to nothing", "a layer that is a named pipe", "a layer that is not there",
            "a layer that only its address says where it is",
        ],
        ["a layer that writes through its link", "the second layer writes through the first one's link"],
        ["a layer with overlay's attribute", "a layer with overlay's attribute for users"],
        ["a layer of another image", "a layer that comes twice, and the later is another", "diff ids in another order"],
        ["a digest that is cut off", "a digest that is none"],
        [
            "an index that leads to more documents than are read",
            "an index that is named so often that it is read more often than anything",
        ],
        ["a repository that climbs", "a repository with a tag that is none", "a tag that is none"],
        ["a repository with a tag and a digest", "a tag with a digest"],
        ["lists in lists", "lists in lists, a million"],
        ["a size with a fraction", "an index that is no JSON"],
        ["two configurations in one manifest", "two lists of layers, one of them written otherwise"],
        ["a configuration that is not there", "a layer by an absolute name that is not there"],
        ["a configuration outside", "a layer outside"],
        ["a manifest that is not there", "a manifest that lies in its descriptor only"],
        ["a configuration with another size", "a manifest with another size"],
        ["a manifest under another's digest", "an index of itself, or what is to be it", "something attached under another's digest"],
        ["a configuration that comes twice, and the later is another", "a configuration under another's digest"],
        ["a member beside the archive", "a member that climbs", "a member that climbs and comes back"],
        ["a hard link that leads out", "a link that leads out", "a manifest that is a link out"],
        [
            "a manifest that comes twice, and the later names nothing", "a manifest without an image", "an index of nothing",
            "repositories of nothing",
        ],
        ["a manifest of Docker's first schema, by its kind", "a manifest that is named as text", "a configuration that is named as text"],
        ["a manifest that is a device", "some files"],
    ]
}
