# What the kernel has to hold for larkline, each law a function. One that fails says why and returns
# with another code than 0; each begins with a gateway in a delegated group of its own, as systemd's
# `Delegate=yes` makes it for a unit with `User=`.

ROOT=/sys/fs/cgroup
SLICE=$ROOT/system.slice
UNIT=$SLICE/larkline.service
PLATFORM=http://127.0.0.1:7800
USER_ID=1000
MESSAGES=0
# Seconds until what was asked for has to be there; a machine without hardware of its own is slow.
PATIENCE=15

# A folder with the limits of memory, processes and processor that is its user's to write.
delegated_group() {
    echo "+memory +pids +cpu" >$ROOT/cgroup.subtree_control
    mkdir $SLICE
    echo "+memory +pids +cpu" >$SLICE/cgroup.subtree_control
}

start_platform() {
    larkline sim --listen 127.0.0.1:7800 >/tmp/sim.log 2>&1 &
    until_true "wget -qO /tmp/world $PLATFORM/_sim/world" || fail "the simulator does not listen"
    WHO=$(post users '{"name": "Ada"}' | sed 's/.*"open_id":"\([^"]*\)".*/\1/')
}

post() {
    wget -qO- --header 'content-type: application/json' --post-data "$2" "$PLATFORM/_sim/$1"
}

until_true() {
    tries=$((PATIENCE * 5))
    until eval "$1" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        usleep 200000
    done
}

fail() {
    echo "$*" >/tmp/why
    return 1
}

# Runs one law and tells the console how it went.
judge() {
    rm -f /tmp/why /tmp/enough
    post reset '{}' >/dev/null
    begun=$(cut -d' ' -f1 /proc/uptime)
    held=true
    { started && "$1"; } || held=false
    # What failed before the law put its things away.
    [ ! -e /tmp/why ] || held=false
    seconds=$(awk "{ print \$1 - $begun }" /proc/uptime)
    why=$(sed 's/["\\]//g; s/[^ -~]/ /g' /tmp/why 2>/dev/null | tr '\n' ' ')
    if [ $held = false ]; then
        tail -n 20 /tmp/larkline.log
        stop_gateway
    fi
    echo "{\"law\": \"kernel::$1\", \"held\": $held, \"seconds\": $seconds, \"why\": \"$why\"}"
}

# A gateway that runs, that of the law before if it does.
started() {
    [ -n "$GATEWAY" ] && kill -0 $GATEWAY 2>/dev/null && return
    rm -rf /tmp/state
    mkdir /tmp/state
    chown $USER_ID /tmp/state
    : >/tmp/larkline.log
    start_unit && verified
}

verified() {
    until_true "grep -q 'connected and verified' /tmp/larkline.log" || fail "the link is not verified"
}

# The unit's group, its user's to write, as systemd makes it.
make_unit() {
    mkdir -p $UNIT
    chown $USER_ID $UNIT $UNIT/cgroup.procs $UNIT/cgroup.threads $UNIT/cgroup.subtree_control
}

# The unit's program, which is in its group from the start.
start_unit() {
    make_unit
    sh -c "echo \$\$ >${GROUP:-$UNIT}/cgroup.procs && exec su larkline -c 'exec /guest/gateway.sh'" \
        >>/tmp/larkline.log 2>&1 &
    GATEWAY=$!
}

# As a service manager ends a unit: it, what is left in its groups, and the groups.
stop_gateway() {
    GROUP=
    kill -TERM $GATEWAY 2>/dev/null
    wait $GATEWAY
    end_unit
}

end_unit() {
    echo 1 >$UNIT/cgroup.kill
    until_true "! grep -q 'populated 1' $UNIT/cgroup.events"
    find $UNIT -depth -type d -exec rmdir {} \;
}

status() {
    su larkline -c '. /guest/environment.sh; exec larkline --config /guest/larkline.toml status'
}

# Sends the handler `$1` a text.
say() {
    post say "{\"user\": \"$WHO\", \"text\": \"$1: $2\"}" >/dev/null || fail "nobody took the message"
}

# What was answered lately holds this.
answered() {
    until_true "wget -qO- $PLATFORM/_sim/ledger | grep -qF '$1'" || fail "no answer says: $1"
}

# The gateway is the one that was there before, and answers.
goes_on() {
    MESSAGES=$((MESSAGES + 1))
    say plain "[[say pong $MESSAGES]]" || return
    answered "\"text\":\"pong $MESSAGES" || return
    kill -0 $GATEWAY || fail "the gateway is gone"
}

# The group of the child that runs.
child() {
    until_true "ls -d $UNIT/larkline-*/cgroup.procs" || fail "no child has a group" || return
    CHILD=$(dirname $UNIT/larkline-*/cgroup.procs)
}

# The child's group counts this in `$1` under the name `$2`.
count() {
    sed -n "s/^$2 //p" "$CHILD/$1"
}

no_groups_of_children() {
    until_true "! ls -d $UNIT/larkline-*" || fail "a group is left: $(ls $UNIT)"
}

# No process has `$1` in its words.
gone() {
    until_true "! ps -o args | grep -v grep | grep -qF '$1'" || fail "$1 is still there"
}

status_says_that_the_kernel_keeps_all_limits() { # law
    said=$(status | grep '^children ')
    case "$said" in
    *"memory by the kernel, processes by the kernel, processor by the kernel, ended in one stroke"*) ;;
    *) fail "$said" ;;
    esac
}

a_memory_hog_is_killed_by_the_kernel_and_its_chat_is_told() { # law
    kills=$(sed -n 's/^oom_kill //p' $UNIT/memory.events)
    say memory "[[hog 400]][[hang]]"
    answered "taking more memory than its limit of 128M" || return
    after=$(sed -n 's/^oom_kill //p' $UNIT/memory.events)
    [ "$after" -gt "$kills" ] || fail "it was not the kernel that killed it" || return
    no_groups_of_children && goes_on
}

a_fork_bomb_is_held_and_all_of_it_is_gone_after() { # law
    say processes '[[tool Bash {\"command\":\"sh /guest/bomb.sh\"}]][[say survived it]]'
    child || return
    until_true "[ \$(count pids.events max) -gt 0 ]" || fail "no process was refused" || return
    peak=$(cat $CHILD/pids.peak 2>/dev/null || cat $CHILD/pids.current)
    [ "$peak" -gt 16 ] && [ "$peak" -le 32 ] || fail "there were $peak processes" || return
    answered '"text":"survived it' || return
    gone "sleep 4711" && no_groups_of_children && goes_on
}

one_that_fails_for_want_of_processes_is_said_to() { # law
    say processes '[[tool Bash {\"command\":\"sh /guest/bomb.sh\"}]][[exit 1]]'
    answered "starting more than 32 processes" || return
    gone "sleep 4711" && no_groups_of_children
}

burners_get_their_share_and_the_link_stays() { # law
    say processor '[[tool Bash {\"command\":\"sh /guest/burn.sh\"}]][[say burnt]]'
    child || return
    until_true "[ \$(count cpu.stat nr_throttled) -gt 0 ]" || fail "nothing was throttled" || return
    used=$(count cpu.stat usage_usec)
    begun=$(cut -d' ' -f1 /proc/uptime)
    sleep 4
    share=$(awk "{ printf \"%d\", ($(count cpu.stat usage_usec) - $used) / (\$1 - $begun) / 10000 }" /proc/uptime)
    status | grep -q verified || fail "the link was lost" || return
    [ "$share" -ge 20 ] && [ "$share" -le 75 ] || fail "they got $share percent, not 50" || return
    touch /tmp/enough
    answered '"text":"burnt' || return
    gone "sh /guest/burn.sh" && no_groups_of_children && goes_on
}

what_left_session_parent_and_environment_is_gone_after_the_turn() { # law
    say plain '[[tool Bash {\"command\":\"sh /guest/stray.sh\"}]][[say strayed]]'
    answered '"text":"strayed' || return
    [ -e /tmp/strayed ] || fail "nothing strayed" || return
    rm /tmp/strayed
    gone "sleep 4712" && no_groups_of_children && goes_on
}

after_a_kill_the_next_boot_ends_even_what_has_no_other_sign_than_its_group() { # law
    say plain '[[tool Bash {\"command\":\"sh /guest/stray.sh\"}]][[hang]]'
    until_true "[ -e /tmp/strayed ]" || fail "nothing strayed" || return
    rm /tmp/strayed
    stray=$(pidof sleep)
    child && grep -q larkline- /proc/${stray%% *}/cgroup || fail "it is in no group" || return
    kill -KILL $GATEWAY
    wait $GATEWAY
    : >/tmp/larkline.log
    kill -0 ${stray%% *} || fail "it went with the gateway, which proves nothing" || return
    # The unit's group has groups within, so nobody may enter it; a service manager makes a new one.
    GROUP=$UNIT/main
    start_unit
    verified || return
    until_true "! kill -0 ${stray%% *}" || fail "the next boot left it alive"
    stop_gateway
}

in_a_group_that_others_share_no_limit_is_claimed_and_children_have_groups() { # law
    stop_gateway
    make_unit
    sleep 4713 &
    other=$!
    echo $other >$UNIT/cgroup.procs
    started || return
    said=$(status | grep '^children ')
    case "$said" in
    *"memory looked at each second"*"ended in one stroke"*"other processes share"*) ;;
    *) fail "$said" || return ;;
    esac
    goes_on || return
    grep -q cgroup_refused /tmp/larkline.log && { fail "a child was refused its group"; return 1; }
    kill -0 $other || fail "the other process was ended" || return
    grep -qx $GATEWAY $UNIT/cgroup.procs || fail "the gateway did not come back"
    stop_gateway
}
