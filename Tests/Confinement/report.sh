# What process 1 of a container sees of its confinement: sections that begin with "== NAME". Run by `sh -c` as process 1.
# With "short" as its first argument it says only what depends on the control groups.
# Names that differ between two containers of one machine (ids, inode numbers, the host's file system) are left out here.
export LC_ALL=C
try() { if "$@" 2>/dev/null >/dev/null; then echo "$* succeeds"; else echo "$* fails"; fi; }
write() { echo "$2" >"$1"; }
echo "== mounts"
while read -r id parent device root target options rest; do
    optional=
    while [ "${rest%% *}" != - ]; do optional="$optional ${rest%% *}"; rest=${rest#* }; done
    set -- $rest
    case $target in
    / | /etc/*) echo "$target file $options" ;;
    *) echo "$target $2 $root $options | $4" ;;
    esac
    # A slave of a mount of the host's would receive what is mounted there.
    case $optional in *shared:* | *propagate_from:*) echo "$target is not private:$optional" ;; esac
done </proc/1/mountinfo
echo "== cgroup"
sed 's/^[0-9]*://' /proc/1/cgroup | sort
echo "== cgroup files"
for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.swappiness memory/memory.oom_control pids/pids.max cpu/cpu.shares \
    cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus cpuset/cpuset.mems devices/devices.list \
    memory.max memory.swap.max memory.low pids.max cpu.max cpu.weight cpuset.cpus; do
    if [ -e "/sys/fs/cgroup/$f" ]; then echo "$f: $(sort "/sys/fs/cgroup/$f" | tr '\n' ';')"; fi
done
for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    if [ -e "$d/cgroup.procs" ]; then
        grep -qx 1 "$d/cgroup.procs" || echo "process 1 is not in $d"
        # Nothing but this report is in it.
        [ "$(grep -vxc 1 "$d/cgroup.procs")" -le 1 ] || echo "others are in $d"
        # What is seen as the root is the container's own group, which has none below.
        [ -z "$(find "$d" -mindepth 1 -type d)" ] || echo "there are groups below $d"
    fi
done
echo "== devices"
try mknod /tmp/kmsg c 1 11
try grep -q . /tmp/kmsg
try mknod /tmp/disk b 259 0
try dd if=/tmp/disk of=/dev/null count=1
try mknod /tmp/null c 1 3
try write /tmp/null 1
[ "${1:-}" = short ] && exit 0
echo "== descriptors"
ls /proc/1/fd
echo "== streams"
stat -L -c '%n %F %t:%T' /proc/1/fd/0
sed -n 's/^flags://p' /proc/1/fdinfo/0 /proc/1/fdinfo/1 /proc/1/fdinfo/2
grep -q "^$(sed -n 's/^mnt_id:[[:space:]]*//p' /proc/1/fdinfo/0) .* /dev " /proc/self/mountinfo && echo "0 is the container's own /dev/null"
echo "== status"
grep -E '^(Umask|Uid|Gid|Groups|NS[a-z]*|Cap[A-Za-z]*|NoNewPrivs|Seccomp|Seccomp_filters|SigBlk|SigIgn|SigCgt|THP_enabled|CoreDumping):' /proc/1/status
awk '{print "group " $5 ", session " $6 ", terminal " $7 ", nice " $19 ", policy " $41}' /proc/1/stat
echo "== dev"
cd /dev
for f in $(find . | sort); do
    if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"; else stat -c '%n %F %a %u:%g %t:%T' "$f"; fi
done
cd /
echo "== limits"
cat /proc/1/limits
echo "== keys"
cat /proc/keys 2>&1
echo "== oom"
cat /proc/1/oom_score_adj
echo "== environment"
tr '\0' '\n' </proc/1/environ | sed "s/$(hostname)/NAME/"
echo "== names"
[ "$(hostname)" = "$(cat /etc/hostname)" ] && echo "the host name is that of /etc/hostname"
cat /proc/sys/kernel/domainname
sed "s/$(hostname)/NAME/; s/[[:space:]]\{1,\}/ /g" /etc/hosts
echo "== network"
ls /sys/class/net
cat /proc/net/route | wc -l
ip -o addr show dev lo 2>/dev/null | sed 's/ \{2,\}/ /g'
echo "== kernel settings"
for f in net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range kernel/shmmax kernel/msgmax kernel/sem fs/mqueue/msg_max; do
    echo "$f $(cat /proc/sys/$f)"
done
echo "== root"
for f in / /proc /sys /dev /etc/hosts /etc/hostname /etc/resolv.conf; do stat -c '%n %F %a %u:%g' $f; done
ls /
readlink /proc/1/root; readlink /proc/1/cwd
ls /../../..  | wc -l
echo "== refused"
for f in /proc/sys/kernel/hostname /proc/sys/vm/swappiness /proc/sysrq-trigger /proc/irq/x /proc/bus/x /proc/fs/x /proc/timer_list /proc/keys \
    /sys/kernel/mm/transparent_hugepage/enabled /sys/fs/cgroup/x /sys/fs/cgroup/memory/x /sys/firmware/x /proc/acpi/x /sys/x; do
    try write $f 1
done
for f in /proc/kcore /proc/timer_list /proc/keys /proc/latency_stats /proc/sched_debug; do try grep -q . $f; done
for f in /sys/firmware /proc/acpi /proc/scsi /proc/asound /sys/devices/virtual/powercap; do try ls $f/*; done
try mount -t tmpfs x /tmp
try mount -o remount,rw /sys
try mount -o remount,bind,rw /proc/sys
try umount /proc/keys
try umount /sys/firmware
try umount /etc/hosts
try umount -l /
try hostname other
try mkdir /sys/fs/cgroup/memory/below
try chroot / true
touch /tmp/own 2>/dev/null
try chown 1 /tmp/own
rm -f /tmp/own 2>/dev/null
try unshare -m true
try unshare -U true
try nsenter -t 1 -m true
try renice -n -5 1
try sh -c 'kill -0 2'
try ip link set lo down
echo "== namespaces"
for n in mnt uts ipc pid net cgroup; do readlink /proc/1/ns/$n; done
echo "== shared namespaces"
for n in user time; do readlink /proc/1/ns/$n; done
