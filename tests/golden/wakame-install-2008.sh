#!/bin/bash
# Registers a Windows seed image with Wakame-vdc. Made by winbuild; see --help.
set -euo pipefail

archive=windows2008r2.x86_64.kvm.md.raw.tar.gz
backup_object=bo-windows2008r2
machine_image=wmi-windows2008r2
display_name='windows2008r2 30G'
description='windows2008r2.x86_64.kvm.md.raw.tar.gz local'
account=a-shpoolxx

usage() {
    cat <<END
Usage: bash ${0##*/} backupobject|image ...

Registers $archive with Wakame-vdc.
Put that file into Wakame-vdc's folder for images first (/var/lib/wakame-vdc/images).

  backupobject   registers the file as the backup object $backup_object
  image          registers the backup object as the machine image $machine_image

Both words may be given; they are carried out in their order.
The program is /opt/axsh/wakame-vdc/dcmgr/bin/vdc-manage, or vdc-manage on the PATH;
set VDC_MANAGE to use another.
END
}

find_vdc_manage() {
    local usual=/opt/axsh/wakame-vdc/dcmgr/bin/vdc-manage
    if [[ -n ${VDC_MANAGE:-} ]]; then
        vdc_manage=$VDC_MANAGE
    elif [[ -x $usual ]]; then
        vdc_manage=$usual
    elif ! vdc_manage=$(type -P vdc-manage); then
        echo "error: there is no $usual and no vdc-manage on the PATH" >&2
        echo "hint: run this on the host of Wakame-vdc, or set VDC_MANAGE" >&2
        exit 1
    fi
}

add_backup_object() {
    "$vdc_manage" backupobject add \
        --uuid="$backup_object" \
        --account-id="$account" \
        --storage-id=bkst-local \
        --display-name="$display_name" \
        --object-key="$archive" \
        --container-format=tgz \
        --size=32212254720 \
        --allocation-size=3050428633 \
        --checksum=17c696598a69760ac1110f1418b1bbea
}

add_image() {
    "$vdc_manage" image add local "$backup_object" \
        --uuid="$machine_image" \
        --account-id="$account" \
        --arch=x86_64 \
        --description="$description" \
        --file-format=raw \
        --root-device=label:root \
        --service-type=std \
        --display-name="$display_name" \
        --is-public \
        --is-cacheable
    "$vdc_manage" image features "$machine_image" --virtio
    "$vdc_manage" image modify "$machine_image" --os-type=windows
}

if [[ $# -eq 0 ]]; then
    usage >&2
    exit 2
fi
for word in "$@"; do
    case $word in
        backupobject | image) ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "error: unknown word: $word" >&2
            usage >&2
            exit 2
            ;;
    esac
done

find_vdc_manage
for word in "$@"; do
    case $word in
        backupobject) add_backup_object ;;
        image) add_image ;;
    esac
done
