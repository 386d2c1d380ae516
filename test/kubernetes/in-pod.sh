# in-pod.sh MOUNTS NODE CHECKOUT USER [NAME=VALUE…] COMMAND [WORD…]
#
# Runs a command as a container of a pod would, in a namespace of mounts that it is alone in (`unshare --mount`): this machine's Debian, the given Node
# and the checkout, all of it read-only. MOUNTS is a folder that is laid out as the pod's volumes are; what is in it named `PATH.rw` may be written.
set -eu
mounts=$1 node=$2 checkout=$3 user=$4
shift 4
mount --make-rprivate /
root=$(mktemp -d)
mount -t tmpfs tmpfs "$root"
bind() {
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  mount -o "remount,bind,$3" "$root$2"
}
for folder in /bin /lib /lib64 /usr; do
  if [ -L "$folder" ]; then cp -a "$folder" "$root$folder"; elif [ -d "$folder" ]; then bind "$folder" "$folder" ro; fi
done
bind "$checkout/src" /app/src ro
bind "$(readlink -f "$checkout/node_modules")" /app/node_modules ro
cp "$checkout/package.json" "$root/app/package.json"
cp "$node" "$root/app/node"
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=2777,nosuid,nodev tmpfs "$root/tmp"
bind "$mounts/config" /etc/eventcore ro
for claim in "$mounts"/claims/*; do bind "$claim" "/$(basename "$claim")" rw; done
mount -o remount,ro "$root"
cd "$root"
exec chroot "$root" /usr/bin/setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
  /usr/bin/env -i -C /etc/eventcore PATH=/usr/bin:/bin TMPDIR=/tmp HOME=/tmp "$@"
