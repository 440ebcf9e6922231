package main

import "errors"

// errLeadershipLost ends a sidecar that has lost leadership without a handover, where --on-loss says exit.
var errLeadershipLost = errors.New("leadership was lost")
