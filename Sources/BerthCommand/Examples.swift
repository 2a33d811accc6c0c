// What each command's help shows at its end: lines that can be typed as they are, against an image `debian` and a container `web`.

extension Attach {
    static let examples = ["berth attach web                      # leave it running with Ctrl-P Ctrl-Q"]
}

extension Check {
    static let examples = [
        "berth system check", "berth system check --repair",
        "berth system check --format '{{range .findings}}{{println .kind .subject}}{{end}}'",
    ]
}

extension Completion {
    static let examples = [
        "berth completion bash > /usr/share/bash-completion/completions/berth",
        "berth completion zsh > /usr/share/zsh/vendor-completions/_berth",
        "berth completion fish > ~/.config/fish/completions/berth.fish",
    ]
}

extension ConnectNetwork {
    static let examples = [
        "berth network connect back web", "berth network connect --ip 172.20.0.9 --alias api --alias www back web",
        "berth network connect --gw-priority 1 outside web       # its default route is there",
    ]
}

extension CreateNetwork {
    static let examples = [
        "berth network create back", "berth network create --internal --subnet 172.20.0.0/16 --gateway 172.20.0.1 back",
        "berth network create --ipv6 --subnet 172.21.0.0/16,fd00:21::/64 both",
    ]
}

extension DisconnectNetwork {
    static let examples = ["berth network disconnect back web"]
}

extension FirewallCommand {
    static let examples = [
        "berth system firewall", "berth system firewall cooperate", "berth system firewall explain       # and take the rules away again",
        "berth system firewall --format '{{range .findings}}{{println .remedy}}{{end}}'",
    ]
}

extension NetworkExposure {
    static let examples = [
        "berth network exposure", "berth network exposure --json",
        "berth network exposure --format '{{.Where}} {{.Container}} {{.AskedBy}}'",
    ]
}

extension InspectNetwork {
    static let examples = [
        "berth network inspect back", "berth network inspect --format '{{range .Containers}}{{println .Name .IPv4Address}}{{end}}' back",
    ]
}

extension ListNetworks {
    static let examples = [
        "berth network ls", "berth network ls -q --filter driver=bridge", "berth network ls --format 'table {{.Name}}\\t{{.Internal}}'",
    ]
}

extension Port {
    static let examples = ["berth port web", "berth port web 80/tcp"]
}

extension PruneNetworks {
    static let examples = ["berth network prune", "berth network prune -f --filter until=24h"]
}

extension ServeRegistry {
    static let examples = ["berth registry serve", "berth registry serve --listen 127.0.0.1:0 --store /srv/registry --metrics"]
}

extension RemoveNetwork {
    static let examples = ["berth network rm back", "berth network rm -f back front"]
}

extension Create {
    static let examples = ["berth create --name web --network none debian sleep infinity", "berth create -it --network none debian bash"]
}

extension CreateVolume {
    static let examples = [
        "berth volume create data", "berth volume create -o type=tmpfs -o device=tmpfs -o o=size=64m cache",
        "berth volume create -o type=none -o o=bind -o device=/srv/www www",
    ]
}

extension InspectVolume {
    static let examples = ["berth volume inspect data", "berth volume inspect --format '{{.Mountpoint}}' data"]
}

extension ListVolumes {
    static let examples = [
        "berth volume ls", "berth volume ls -q --filter dangling=true", "berth volume ls --format 'table {{.Name}}\\t{{.Mountpoint}}'",
    ]
}

extension PruneVolumes {
    static let examples = ["berth volume prune", "berth volume prune -a -f --filter label=of=web"]
}

extension RemoveVolume {
    static let examples = ["berth volume rm data", "berth volume rm -f data cache"]
}

extension UpdateVolume {
    static let examples = ["berth volume update --availability drain data       # volumes of a swarm only"]
}

extension Events {
    static let examples = ["berth events --since 10m --until 0s", "berth events --filter container=web --format '{{.Action}}'"]
}

extension Exec {
    static let examples = [
        "berth exec -it web bash", "berth exec -u www-data -w /srv web ls -l", "echo hello | berth exec -i web cat",
    ]
}

extension Commit {
    static let examples = [
        "berth commit web web:patched", "berth commit -m 'tools added' -a 'A. Writer' --change 'CMD [\"bash\"]' web tools",
    ]
}

extension Copy {
    static let examples = [
        "berth cp web:/etc/nginx/nginx.conf .", "berth cp site/. web:/usr/share/nginx/html", "berth cp web:/var/log - | tar -tf -",
    ]
}

extension Diff {
    static let examples = ["berth diff web"]
}

extension DiskUsage {
    static let examples = ["berth system df", "berth system df -v", "berth system df --format '{{.Type}} {{.Reclaimable}}'"]
}

extension Export {
    static let examples = ["berth export -o web.tar web", "berth export web | tar -tf -"]
}

extension History {
    static let examples = [
        "berth history debian", "berth history --no-trunc --format '{{.Size}} {{.CreatedBy}}' debian",
        "berth history --platform linux/arm64 debian",
    ]
}

extension ImageDiff {
    static let examples = [
        "berth image diff debian:12 debian:13 --summary", "berth image diff debian web --format '{{.Kind}} {{.Path}}'",
        "berth image diff debian web --format json | jq -r 'select(.SizeAfter > 1000000) | .Path'",
    ]
}

extension ImageLayers {
    static let examples = ["berth image layers debian", "berth image layers --format '{{.Number}} {{.HiddenBytes}}' web"]
}

extension Images {
    static let examples = [
        "berth images", "berth images -q --filter dangling=true", "berth images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    ]
}

extension Import {
    static let examples = [
        "berth import debian.tar.gz debian", "berth import --change 'CMD [\"bash\"]' --change 'ENV LANG=C.UTF-8' debian.tar debian:13",
        "mmdebstrap trixie | berth import - debian",
    ]
}

extension Info {
    static let examples = ["berth info", "berth info --format '{{.Driver}}'"]
}

extension Inspect {
    static let examples = [
        "berth inspect web", "berth inspect --format '{{.State.Status}}' web", "berth inspect --type image debian",
        "berth inspect --type network back",
    ]
}

extension InspectContainer {
    static let examples = ["berth container inspect --format '{{.State.Pid}}' web"]
}

extension InspectImage {
    static let examples = [
        "berth image inspect --format '{{json .Config}}' debian", "berth image inspect --platform linux/arm64/v8 debian",
    ]
}

extension Jobs {
    static let examples = ["berth system jobs", "berth system jobs --format '{{.ID}} {{.State}}'"]
}

extension Kill {
    static let examples = ["berth kill web", "berth kill --signal HUP web"]
}

extension List {
    static let examples = [
        "berth ps -a", "berth ps -q --filter status=exited", "berth ps --format 'table {{.Names}}\\t{{.Status}}'",
    ]
}

extension Load {
    static let examples = [
        "berth load -i images.tar", "zcat images.tar.gz | berth load", "berth load -i images.tar --platform linux/arm64",
    ]
}

extension Logs {
    static let examples = ["berth logs -f --tail 20 web", "berth logs --since 5m --timestamps web"]
}

extension PruneImages {
    static let examples = ["berth image prune", "berth image prune -af --filter until=24h --filter 'label!=keep'"]
}

extension PruneSystem {
    static let examples = ["berth system prune", "berth system prune -a --volumes -f --filter 'label!=keep'"]
}

extension RebaseImage {
    static let examples = ["berth image rebase --from debian:12.1 --onto debian:12.2 -t web:patched web"]
}

extension Remove {
    static let examples = ["berth rm web", "berth rm -f $(berth ps -aq)"]
}

extension RemoveImage {
    static let examples = ["berth rmi debian:13", "berth rmi --force --platform linux/arm64 debian:13"]
}

extension Run {
    static let examples = [
        "berth run --rm -it --network none debian bash", "berth run -d --name web --network host -v /srv/www:/www:ro debian sleep infinity",
        "berth run -d --network back --network-alias www -p 127.0.0.1:8080:80 debian sleep 1h",
        "berth run -d -v data:/data --tmpfs /run --mount type=bind,src=/srv,dst=/srv,ro debian sleep 1h",
        "tar -c . | berth run --rm -i --network none -m 256m debian tar -t",
    ]
}

extension ShowVersion {
    static let examples = ["berth version", "berth version --format '{{.Server.Version}}'"]
}

extension Save {
    static let examples = [
        "berth save -o images.tar debian:13 web", "berth save debian | zstd >debian.tar.zst", "berth save debian | ssh host docker load",
        "berth save -o arm.tar --platform linux/arm64 debian",
    ]
}

extension SquashImage {
    static let examples = ["berth image squash -t web:flat web", "berth image squash --from 2 -t web web       # the base stays shared"]
}

extension Start {
    static let examples = ["berth start web", "berth start -ai web                   # with this terminal"]
}

extension Stop {
    static let examples = ["berth stop web", "berth stop -t 0 web"]
}

extension Tag {
    static let examples = ["berth tag debian debian:13"]
}

extension Wait {
    static let examples = ["berth wait web                        # prints its exit code"]
}

extension CancelJobs {
    static let examples = ["berth jobs cancel pull-7"]
}

extension FollowJob {
    static let examples = ["berth jobs follow pull-7", "berth jobs follow --format '{{.state}} {{.status}}' pull-7"]
}

extension Pull {
    static let examples = [
        "berth pull debian:12", "berth pull --platform linux/arm64 localhost:5000/web",
        "berth pull --detach debian    # and see: berth jobs",
    ]
}

extension Push {
    static let examples = ["berth tag web localhost:5000/web && berth push localhost:5000/web", "berth push -a localhost:5000/web"]
}

extension InspectManifest {
    static let examples = ["berth manifest inspect debian:12"]
}

extension ListRepositories {
    static let examples = ["berth registry ls localhost:5000"]
}

extension ListTags {
    static let examples = ["berth registry tags localhost:5000/web"]
}

extension Login {
    static let examples = ["berth login", "berth login localhost:5000 -u me --password-stdin < ~/password    # berth asks nothing"]
}

extension Logout {
    static let examples = ["berth logout localhost:5000"]
}

extension RemoveFromRegistry {
    static let examples = ["berth registry rm localhost:5000/web:old"]
}

extension Search {
    static let examples = ["berth search --limit 5 nginx", "berth search --filter is-official=true --format '{{.Name}}' nginx"]
}

extension CopyImage {
    static let examples = [
        "berth image copy docker://debian:12 docker://localhost:5000/debian:12", "berth image copy berth:web oci:layout:web",
        "berth image copy --platform linux/arm64 docker://debian:12 docker-archive:debian.tar:debian:12",
    ]
}

extension Stats {
    static let examples = ["berth stats", "berth stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}}'", "berth stats web db"]
}

extension Top {
    static let examples = ["berth top web", "berth top web aux", "berth top web -o pid,user,rss,args"]
}

extension Why {
    static let examples = ["berth why web", "berth why -n 50 web"]
}
