internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// A container in a list, as templates see it.
enum ContainerRow {
    static let headings = [
        ("ID", "CONTAINER ID"), ("Names", "NAMES"), ("Image", "IMAGE"), ("Command", "COMMAND"), ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"), ("Ports", "PORTS"), ("State", "STATE"), ("Status", "STATUS"), ("Size", "SIZE"),
        ("Labels", "LABELS"), ("Mounts", "MOUNTS"), ("LocalVolumes", "LOCAL VOLUMES"), ("Networks", "NETWORKS"),
    ]

    static func row(_ container: JSONTree, withSize: Bool, withRoot: Bool = true, noTrunc: Bool) -> Listing.Row {
        func text(_ name: String) -> String { container[name]?.text ?? "" }
        let id = text("Id")
        let created = container["Created"]?.integer ?? 0
        // A name with a further slash is a link's.
        let names = (container["Names"]?.elements ?? []).compactMap(\.text).map { String($0.drop { $0 == "/" }) }
        let own = names.filter { !$0.contains("/") }
        let command = text("Command")
        var image = text("Image").isEmpty ? "<no image>" : text("Image")
        if !noTrunc, shortID(image) == shortID(text("ImageID")) { image = shortID(image) }
        let labels = (container["Labels"]?.members ?? []).sorted { $0.name < $1.name }
        let mounts = (container["Mounts"]?.elements ?? []).map { mount -> String in
            let name = mount["Name"]?.text ?? ""
            let shown = name.isEmpty ? mount["Source"]?.text ?? "" : name
            return noTrunc ? shown : HumanText.ellipsis(shown, 15)
        }
        let localVolumes = (container["Mounts"]?.elements ?? []).filter { $0["Driver"]?.text == "local" }.count
        var size = "0B"
        if withSize {
            size = HumanText.size(container["SizeRw"]?.integer ?? 0)
            if withRoot, let root = container["SizeRootFs"]?.integer, root > 0 { size += " (virtual \(HumanText.size(root)))" }
        }
        let networks = (container["NetworkSettings"]?["Networks"]?.members ?? []).map(\.name).sorted().joined(separator: ",")
        let fields: [(String, JSONTree?)] = [
            ("Command", .string(HumanText.quoted(noTrunc ? command : HumanText.ellipsis(command, 20)))),
            ("CreatedAt", .string(Times.long(seconds: created))), ("ID", .string(noTrunc ? id : shortID(id))), ("Image", .string(image)),
            ("Labels", .string(labels.map { "\($0.name)=\($0.value.text ?? "")" }.joined(separator: ","))),
            ("LocalVolumes", .string(String(localVolumes))), ("Mounts", .string(mounts.joined(separator: ","))),
            ("Names", .string((noTrunc ? names : own).joined(separator: ","))), ("Networks", .string(networks)),
            ("Ports", .string(Self.ports(container["Ports"]?.elements ?? []))),
            ("RunningFor", .string(HumanText.duration(seconds: Times.secondsSince(created)) + " ago")), ("Size", .string(size)),
            ("State", .string(text("State"))), ("Status", .string(text("Status"))),
        ]
        let label: GoTemplate.Method = { arguments throws(TemplateError) in
            guard let name = arguments.first?.text else { throw TemplateError("template: Label needs the name of a label") }
            return .string(labels.first { $0.name == name }?.value.text ?? "")
        }
        return Listing.Row(fields: .object(fields), methods: ["Label": label])
    }

    private static func ports(_ ports: [JSONTree]) -> String {
        PortListing.text(
            ports.map { port in
                PortListing.Entry(
                    address: port["IP"]?.text ?? "", inside: port["PrivatePort"]?.integer ?? 0, outside: port["PublicPort"]?.integer ?? 0,
                    transport: port["Type"]?.text ?? "tcp")
            })
    }
}
