// Package runlock sees whether the workload runs by a lock that it holds on a file of the signal directory, run.lock: a
// shared flock, or a POSIX read lock, as Java's FileChannel takes. The kernel drops it when the last process that has the
// lock ends, however it ends; so the lock's end is the workload's.
//
// It promises that it never holds the lock itself, so that no attempt of the workload fails or waits because it was
// looked at, but for two instants: between two system calls that follow each other, when it looks at a lock that nobody
// was known to hold, some time after the file was opened; and within the kernel, when the last holder has let go.
//
// It does not see a lock in another kernel (a network file system, a sandbox such as gVisor that keeps locks to itself),
// nor a program that has closed the descriptor (closefrom) and works on.
package runlock

// FileName is the lock's name in the signal directory.
const FileName = "run.lock"
