//go:build linux

package sidecar

import (
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/podstatus"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/runlock"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/running"
)

// addHealth adds the health check, and the health endpoint as a sight. The endpoint's end shows nothing if the workload's
// process or command itself is seen.
func addHealth(k *kit) (err error) {
	if !k.cfg.Health.On() {
		return nil
	}
	config := k.cfg.Health
	config.Clock, config.Log = k.clock, k.log
	if k.health, err = health.New(config, k.board.Voice("health")); err != nil {
		return err
	}
	one := part{run: k.health.Run}
	if k.cfg.HealthProvesStop && k.cfg.Command == nil && !k.cfg.Process.Target.Given() {
		one.sight = k.health.Endpoint()
	}
	k.add(one)
	return nil
}

func addRunning(k *kit) error {
	k.running = running.New(sight.PresenceConfig{Clock: k.clock, Ended: k.crash("running"), Log: k.log})
	k.add(part{sight: k.running, observe: k.running.Observe})
	return nil
}

func addRunLock(k *kit) error {
	if k.cfg.SignalDir == "" {
		return nil
	}
	lock, err := runlock.New(runlock.Config{Dir: k.cfg.SignalDir, Clock: k.clock, Ended: k.crash("run-lock"), Log: k.log})
	if err != nil {
		return err
	}
	k.add(part{sight: lock, observe: lock.Observe, run: lock.Run, close: lock.Close})
	return nil
}

func addProcesses(k *kit) error {
	if k.cfg.WatchProcesses {
		k.add(part{sight: processes.New(processes.Config{Except: k.cfg.WatchExcept, Log: k.log})})
	}
	return nil
}

func addPodStatus(k *kit) error {
	if !k.cfg.WatchPod || k.api == nil {
		return nil
	}
	k.add(part{sight: podstatus.New(podstatus.Config{
		API: k.api, Namespace: k.podNamespace(), Pod: k.cfg.Pod.Name, UID: k.cfg.Pod.UID, Container: k.cfg.OwnContainer,
		Clock: k.clock, Log: k.log,
	})})
	return nil
}

// crash returns the function that a sight calls when it sees the workload end while this replica leads: the replica hands over.
func (k *kit) crash(sight string) func() {
	return func() {
		k.log.Warn("the workload has ended while this replica leads: handing over", "reason", "WorkloadEnded", "sight", sight)
		_ = k.elector.StepDown("the workload has ended (" + sight + ")") // an error means that it no longer leads
	}
}
