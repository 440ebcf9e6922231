//go:build linux

package harness

import "time"

// Passage is what came to a proxy by one read. The bytes themselves are encrypted; HTTP/1.1 has one request on a line at a time.
type Passage struct {
	// Line counts the proxy's connections, from 1 on.
	Line int
	// Way says where it went.
	Way Way
	// Bytes is how long it was.
	Bytes int
	// At is when it came to the proxy, before it went on.
	At time.Time
}

// Trace has the proxy note what passes, from now on.
func (p *Proxy) Trace() { p.change(func() { p.traced, p.passages = true, nil }) }

// Passages returns what has passed since the last call, in its order, and forgets it.
func (p *Proxy) Passages() []Passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.passages
	p.passages = nil
	return all
}

// note notes a chunk that may pass.
func (p *Proxy) note(l *line, way Way, c chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.traced && len(c.bytes) > 0 {
		p.passages = append(p.passages, Passage{Line: l.number, Way: way, Bytes: len(c.bytes), At: c.came})
	}
}
