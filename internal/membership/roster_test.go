package membership

import (
	"fmt"
	"testing"
	"time"
)

// TestNotKept counts the members that found no room, not their renewals, and publishes nothing for each of these.
func TestNotKept(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1, func(c *Config) { c.Most = 3 })
		for i := range 5 {
			f.start(fmt.Sprintf("web-%d", 1+i), 1)
		}
		wait(5 * time.Minute)
		got := a.Roster().Counts()
		if got.Live != 3 || got.NotKept != 3 {
			t.Errorf("counts %+v, want 3 live and 3 not kept", got)
		}
	})
}
