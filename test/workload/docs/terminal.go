//go:build linux

package docs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// runBound is how long commands may take that end, with room for a build on a busy machine.
	runBound = 5 * time.Minute
	// showBound is how long a terminal may take to show what the page says.
	showBound = time.Minute
	// look is the pause between two looks at a terminal.
	look = 10 * time.Millisecond
)

// prompt is what bash writes after a step's commands: the status of the last one, between two characters that nothing else writes.
var prompt = regexp.MustCompile("\x1e([0-9]+)\x1e\n")

// Terminal is bash on a pseudo terminal.
type Terminal struct {
	master *os.File
	bash   *exec.Cmd
	read   chan struct{} // closed once there is nothing more to read

	mu    sync.Mutex
	shown strings.Builder

	seen    int  // the offset behind what was compared last
	began   int  // the offset at which the last commands began
	running bool // they run on
}

// Open starts bash in the folder, with exactly that environment.
func Open(folder string, environment []string) (*Terminal, error) {
	master, slave, err := openPair()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo terminal: %w", err)
	}
	defer func() { _ = slave.Close() }()
	t := &Terminal{master: master, bash: exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i"), read: make(chan struct{})}
	t.bash.Dir, t.bash.Env = folder, append(environment, "PS1=", "PS2=", "TERM=dumb", "HISTFILE=")
	t.bash.Stdin, t.bash.Stdout, t.bash.Stderr = slave, slave, slave
	t.bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := t.bash.Start(); err != nil {
		_ = master.Close()
		return nil, fmt.Errorf("start bash: %w", err)
	}
	go t.keep()
	t.begin("stty -echo")
	if _, err := t.end(runBound); err != nil {
		t.Close()
		return nil, err
	}
	t.seen = t.length()
	return t, nil
}

func openPair() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	var number int
	raw, err := master.SyscallConn() // not Fd, which would have Close wait for a Read
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			if number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err == nil {
				err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
			}
		}), err)
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		_ = master.Close()
	}
	return master, slave, err
}

// keep reads what the terminal shows, until bash and all that it has started are gone.
func (t *Terminal) keep() {
	defer close(t.read)
	buffer := make([]byte, 4096)
	for {
		n, err := t.master.Read(buffer)
		t.mu.Lock()
		t.shown.Write(buffer[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Shown returns all that the terminal has shown.
func (t *Terminal) Shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(t.shown.String(), "\r\n", "\n")
}

func (t *Terminal) length() int { return len(t.Shown()) }

// begin types commands, and what has bash write the prompt after them.
func (t *Terminal) begin(commands string) {
	t.began = t.length()
	t.seen = t.began
	t.press(commands + "\n" + askStatus)
}

// askStatus has bash write the prompt.
const askStatus = "printf '\\036%s\\036\\n' \"$?\"\n"

// press presses keys. A terminal that is gone shows no prompt.
func (t *Terminal) press(keys string) { _, _ = t.master.WriteString(keys) }

// end waits for the prompt, and returns the status of the last command.
func (t *Terminal) end(bound time.Duration) (status int, err error) {
	for deadline := time.Now().Add(bound); ; time.Sleep(look) {
		if m := prompt.FindStringSubmatch(t.Shown()[t.began:]); m != nil {
			return strconv.Atoi(m[1])
		}
		select {
		case <-t.read:
			return 0, fmt.Errorf("the terminal is gone")
		default:
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("it has not ended within %v", bound)
		}
	}
}

// run carries out a step.
func (t *Terminal) run(s Step) error {
	if t.running && (s.Kind == Run || s.Kind == Start) { // what was there has been ended by another terminal
		if err := t.ended(); err != nil {
			return err
		}
	}
	switch s.Kind {
	case Run:
		t.begin(s.Text)
		status, err := t.end(runBound)
		if err == nil && status != s.Status {
			err = fmt.Errorf("its status is %d, want %d", status, s.Status)
		}
		return err
	case Start:
		t.begin(s.Text)
		t.running = true
		return nil
	case Keys:
		t.press("\x03" + askStatus) // Ctrl-C forgets what was typed ahead
		return nil
	case Ends:
		return t.ended()
	case Shows:
		return t.shows(s.Text)
	}
	return fmt.Errorf("a terminal does not know %q", s.Kind)
}

// ended waits for the end of what runs on, whatever its status.
func (t *Terminal) ended() error {
	_, err := t.end(showBound)
	t.running = false
	return err
}

// shows waits for lines, in their order, behind what was waited for before. Other lines may come between them.
func (t *Terminal) shows(text string) error {
	for want := range strings.SplitSeq(text, "\n") {
		if strings.Trim(want, "… ") == "" {
			continue
		}
		parts := strings.Split(want, "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		line := regexp.MustCompile("(?m)^" + strings.Join(parts, ".*") + "$")
		for deadline := time.Now().Add(showBound); ; time.Sleep(look) {
			if at := line.FindStringIndex(t.Shown()[t.seen:]); at != nil {
				t.seen += at[1]
				break
			}
			if t.running && prompt.MatchString(t.Shown()[t.began:]) {
				return fmt.Errorf("it has ended, and has not shown: %s", want)
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("it has not shown within %v: %s", showBound, want)
			}
		}
	}
	return nil
}

// Close ends bash, and all that runs in the terminal.
func (t *Terminal) Close() {
	_ = syscall.Kill(-t.bash.Process.Pid, syscall.SIGKILL) // its session's leader: what runs in front gets SIGHUP
	_ = t.bash.Wait()
	_ = t.master.Close()
	<-t.read
}
