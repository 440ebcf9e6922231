#!/usr/bin/env python3
"""A worker that works only while its replica leads. Nothing but the standard library.

    SIGNAL_DIR=/var/run/lease-sidecar ./worker.py     asks the files
    ./worker.py                                       asks over HTTP, at SIDECAR_URL

It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
"""

import fcntl
import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.parse

DIR = os.environ.get("SIGNAL_DIR", "")
ADDRESS = urllib.parse.urlsplit(os.environ.get("SIDECAR_URL", "http://127.0.0.1:4040")).netloc
INTERVAL = float(os.environ.get("INTERVAL", "1"))  # seconds between looks while standing by
with open("/proc/sys/kernel/random/boot_id") as file:
    BOOT = file.read().strip()


def ask(method, path):
    """Send one request to the sidecar; return the status and the body."""
    connection = http.client.HTTPConnection(ADDRESS, timeout=1)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read(16384)
    finally:
        connection.close()


def document():
    """Return what the sidecar says now."""
    if DIR:
        with open(os.path.join(DIR, "state.json"), "rb") as state:
            return state.read(16384)
    status, body = ask("GET", "/leader")
    if status != 200:
        raise ValueError(f"the sidecar answers {status}")
    return body


def term():
    """Return the token of the term that runs now, or None."""
    try:
        said = json.loads(document())
        leads = said["isLeader"] is True and said["bootID"] == BOOT
        # The clock is read last: whatever the asking took counts against the term.
        if leads and time.clock_gettime_ns(time.CLOCK_BOOTTIME) < int(said["validUntilBoottimeNs"]):
            return said["token"] or None
    except Exception:  # whatever it is, nothing is known: that is no term
        pass
    return None


def hold():
    """Take the run lock, by which the sidecar sees this worker at work, and its end, however it ends.

    Closing what is returned releases it.
    """
    try:
        lock = open(os.path.join(DIR, "run.lock"), "rb")
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock
    except OSError:
        return None  # then the sidecar relies on the reports


def drained():
    """Report to the sidecar that the work has stopped, so that another replica may start at once."""
    try:
        ask("POST", "/drained")
    except (OSError, http.client.HTTPException):
        pass  # a dead sidecar's term expires by itself


def follow(news):
    """Set news at each event, for ever. Events only hasten: without them the loop looks by itself."""
    while True:
        connection = http.client.HTTPConnection(ADDRESS, timeout=60)
        try:
            connection.request("GET", "/events")
            for line in connection.getresponse():
                if line.startswith(b"data:"):
                    news.set()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(1)


def work(token, unit):
    """Do one short piece: it ends well within the gap between renew deadline and lease duration.

    Whatever it writes to should refuse a token lower than one it has seen.
    """
    print(f"working token={token} unit={unit}", flush=True)
    time.sleep(0.2)


def main():
    for stop in signal.SIGTERM, signal.SIGINT:  # as pid 1 Python would not die of SIGTERM
        signal.signal(stop, lambda *_: sys.exit(0))
    news = threading.Event()
    threading.Thread(target=follow, args=[news], daemon=True).start()
    printed, unit, lock = "unknown", 0, None
    while True:
        news.clear()
        token = term()
        if token != printed:
            if token and not lock and DIR:
                lock = hold()
            elif not token and lock:
                lock = lock.close()
            print(f"leading token={token}" if token else "standing by", flush=True)
            if not token:
                drained()
            printed = token  # and look again before any work: the term may have ended during the wait for the lock
        elif token:
            unit += 1
            work(token, unit)
        else:
            news.wait(INTERVAL)


if __name__ == "__main__":
    main()
