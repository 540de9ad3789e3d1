#!/bin/sh
# Runs in place of deploy.sh when the device returns to this version. There is nothing to do; it leaves a note.
set -eu

mkdir -p "$KERNEX_DATA_DIR"
{
    echo "action=rollback"
    echo "version=$KERNEX_VERSION"
    echo "at=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
} >"$KERNEX_DATA_DIR/last-rollback.txt.part"
mv "$KERNEX_DATA_DIR/last-rollback.txt.part" "$KERNEX_DATA_DIR/last-rollback.txt"
echo "rolled back around $KERNEX_VERSION"
