# in-container.sh IMAGE NODE USER:GROUP WORKDIR [NAME=VALUE…] COMMAND [WORD…]
#
# Runs a command of an image in namespaces of mounts and processes that it is alone in (`unshare --mount --pid --fork`): this machine's Debian and the
# given Node, with what the image adds, all of it read-only but for /tmp. Nothing outside changes.
set -eu
image=$1 node=$2 user=$3 workdir=$4
shift 4
mount --make-rprivate /
root=$(mktemp -d)
mount -t tmpfs tmpfs "$root"
for folder in /bin /lib /lib64 /usr; do
  if [ -L "$folder" ]; then cp -a "$folder" "$root$folder"; elif [ -d "$folder" ]; then
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,ro,bind "$root$folder"
  fi
done
mkdir -p "$root/opt" "$root/proc" "$root/tmp" "$root/dev" "$root$workdir" "$root/node"
cp "$node" "$root/node/node"
mount --bind "$image/opt" "$root/opt"
mount -o remount,ro,bind "$root/opt"
ln -s /opt/eventcore/dist/cli/main.js "$root/node/eventcore"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -o remount,ro "$root"
cd "$root"
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env -i -C "$workdir" PATH=/node:/usr/bin:/bin "$@"
