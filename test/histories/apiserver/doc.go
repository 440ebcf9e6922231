// Package apiserver makes the histories of package histories with the real thing: sidecars as processes on a real etcd
// and kube-apiserver, which are terminated, killed, frozen and asked to step down, beside workers that read the signal
// directory as apps do.
//
// It promises what package histories does, in real time and so for tens of terms, not thousands.
package apiserver
