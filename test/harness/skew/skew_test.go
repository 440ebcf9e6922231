package skew

import (
	"path/filepath"
	"testing"
	"time"
)

func TestBootThereAndBack(t *testing.T) {
	const start, later = int64(1_000_000_000_000), int64(1_060_000_000_000) // a minute
	for _, tc := range []struct {
		name string
		skew Skew
		want int64 // at later
	}{
		{"true", None(), later},
		{"fast", None().WithRate(1.01, start), later + 600_000_000},
		{"slow", None().WithRate(0.99, start), later - 600_000_000},
		{"fast, then true", None().WithRate(1.01, start).WithRate(1, later-30_000_000_000), later + 300_000_000},
	} {
		got := tc.skew.Boot(later)
		if got != tc.want {
			t.Errorf("%s: the clock shows %d, want %d", tc.name, got, tc.want)
		}
		if back := tc.skew.True(got) - later; back < -10 || back > 10 {
			t.Errorf("%s: there and back is off by %d ns", tc.name, back)
		}
	}
}

func TestWall(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	stepped := None()
	stepped.WallOffset = -time.Hour
	if got, want := stepped.Wall(at), at.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("stepped back an hour: %v, want %v", got, want)
	}
	frozen := stepped
	frozen.WallFrozen = at
	if got := frozen.Wall(at.Add(time.Minute)); !got.Equal(at) {
		t.Errorf("frozen: %v, want %v", got, at)
	}
}

func TestFileThereAndBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	want := Skew{TrueAnchor: 1, BootAnchor: 2, Rate: 0.99, WallOffset: time.Hour, WallFrozen: time.Unix(5, 6).UTC()}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	t.Setenv(Variable, path)
	if got := OfProcess(); got != want {
		t.Errorf("of the process: %+v, want %+v", got, want)
	}
}
