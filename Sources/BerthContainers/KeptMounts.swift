internal import BerthOCI

/// What a container keeps of its mounts when it becomes another: volumes without names above all.
struct KeptMounts {
    /// What nobody has said, by its place: the volumes of its image, those at places alone, and what it has from others.
    private(set) var unsaid: [String: ContainerMount] = [:]
    /// What was said and is said again.
    private(set) var said: [Mount: ContainerMount] = [:]
    /// Whether what it has from others is among it, because it is to have it from the same.
    private(set) var hasOthersVolumes = false

    /// Of what a container was, for what it is to be; of `nil` nothing.
    init(of former: ContainerDocument?, for wanted: ContainerConfiguration) {
        guard let former else { return }
        var saidPlaces: Set<String> = []
        let placed = Dictionary(former.placedMounts.map { ($0.target, $0) }) { first, _ in first }
        for mount in former.configuration.saidMounts {
            let place = PathText.clean(mount.target)
            saidPlaces.insert(place)
            said[mount] = placed[place]
        }
        hasOthersVolumes = former.configuration.volumesFrom == wanted.volumesFrom
        let formerPlaces = former.configuration.volumes
        let unwanted = Set(formerPlaces.subtracting(wanted.volumes).map(PathText.clean))
        let own = Set(formerPlaces.union(former.imageExecution.volumes).map(PathText.clean))
        unsaid = placed.filter { place, _ in
            !saidPlaces.contains(place) && !unwanted.contains(place) && (hasOthersVolumes || own.contains(place))
        }
    }
}

extension ContainerConfiguration {
    /// What its maker says of mounts, in whichever way.
    var saidMounts: [Mount] { bindMounts.map { Mount($0) } + mounts }
}
