# Leaves its session, its parent and its environment behind.
env -i PATH="$PATH" setsid sh -c '
    sh -c "touch /tmp/strayed; exec sleep 4712" >/dev/null 2>&1 &
' >/dev/null 2>&1
until [ -e /tmp/strayed ]; do usleep 50000; done
