# Four that want a processor each, until somebody has had enough.
burn() {
    while [ ! -e /tmp/enough ]; do :; done
}
burn & burn & burn & burn
wait
