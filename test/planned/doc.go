// Package planned stops workloads that take long, or do not stop at all, in handovers of the real program, and judges by what
// the workloads themselves wrote down on the boot clock: nobody may work beside the next leader's.
package planned
