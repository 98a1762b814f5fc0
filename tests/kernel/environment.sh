# What a service manager would give the unit.
export PATH=/bin FEISHU_APP_SECRET=simulator-secret STATE_DIRECTORY=/tmp/state LARKLINE_LOCK_DIR=/tmp/state
