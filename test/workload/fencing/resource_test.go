//go:build linux

package fencing

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// resource is something that refuses the writes of an older term. What its writers do are shell scripts, in a folder of the
// resource, which find $TOKEN and $VALUE in their environment.
type resource struct {
	dir string
	env []string
	// write writes the value. claim makes the token known and changes nothing else. Their status is not 0 where they are refused.
	write, claim string
	// late is a write of "late" that calls pause in its middle; "": it pauses before it writes. begun is what it prints there.
	late, begun string
	// sees is what a refused writer sees; lateSees what a refused late one sees, where that differs.
	sees, lateSees string
	// value is what the resource holds.
	value func(t *testing.T) string
}

// guard is a piece of the page's code that refuses older terms, and what stands there in a control without it.
type guard struct{ code, removed string }

// off returns the code without the guard, or as it is where there is none to remove.
func (g guard) off(t *testing.T, code string) string {
	t.Helper()
	if g.code == "" {
		return code
	}
	return replace(t, code, g.code, g.removed)
}

// newResource makes the folder, with these files.
func (s *servers) newResource(t *testing.T, name string, files map[string]string) resource {
	t.Helper()
	r := resource{dir: filepath.Join(s.root, name), begun: "paused"}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(r.dir, file), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// environment is that of a writer.
func (r resource) environment(more ...string) []string {
	return append(append([]string{"NO_PROXY=*", "no_proxy=*"}, r.env...), more...)
}

// run runs one of the scripts to its end, and returns what it prints and whether it was let in.
func (r resource) run(t *testing.T, script, token, value string) (out string, accepted bool) {
	t.Helper()
	out, status := harness.RunCommandWith(t, r.environment("TOKEN="+token, "VALUE="+value), "sh", "-c", "cd "+r.dir+" && "+script)
	return out, status == 0
}

// mustRun is run for what must be let in.
func (r resource) mustRun(t *testing.T, script, token, value string) {
	t.Helper()
	if out, accepted := r.run(t, script, token, value); !accepted {
		t.Fatalf("%q is refused under token %s:\n%s", value, token, out)
	}
}

// psql runs the script in a file with the writer's variables.
const psql = `psql -X -At -v ON_ERROR_STOP=1 -v token="$TOKEN" -v value="$VALUE" 2>&1 -f `

// bind puts those variables, which psql quotes, in the places of a statement's parameters.
var bind = strings.NewReplacer("$1", ":'token'", "$2", "'o1'", "$3", ":'value'")

const theOrder = "SELECT state FROM orders WHERE id = 'o1'"

// row is a row of PostgreSQL that carries its token. Its statements are prepared, with their types, as drivers do.
func (s *servers) row(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.newResource(t, name, map[string]string{
		"update.sql": "PREPARE it (numeric, text, text) AS " + removed.off(t, block(t, "fenced-update.sql")) + ";\n" + bind.Replace("EXECUTE it ($1, $2, $3);\n"),
		"claim.sql":  "PREPARE it (numeric, text) AS " + block(t, "claim-row.sql") + ";\n" + bind.Replace("EXECUTE it ($1, $2);\n"),
	})
	r.env = s.newDatabase(t, name, block(t, "table.sql"), "INSERT INTO orders (id, state) VALUES ('o1', '')")
	changed := func(file string) string {
		return `out=$(` + psql + file + `); status=$?; echo "$out"; [ $status = 0 ] && [ "${out##*UPDATE }" = 1 ]`
	}
	r.write, r.claim, r.sees = changed("update.sql"), changed("claim.sql"), "UPDATE 0"
	r.value = func(t *testing.T) string { return s.sql(t, name, theOrder) }
	return r
}

// beforeWork is the line of the transaction at which a late one is frozen.
const beforeWork = "-- any statements: read, insert, update, delete\n"

// lockRow is a row of PostgreSQL that each transaction locks and compares.
func (s *servers) lockRow(t *testing.T, name string, removed guard) resource {
	t.Helper()
	return s.transactions(t, name, removed.off(t, block(t, "fence.sql")), block(t, "fenced-transaction.sql"))
}

// openTransaction is the same for a writer that is frozen while it holds the lock. The guard against it is in the transaction.
func (s *servers) openTransaction(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.transactions(t, name, block(t, "fence.sql"), removed.off(t, block(t, "fenced-transaction.sql")))
	r.late, r.begun = "{ cat begin.sql; pause; cat rest.sql; } | "+psql+"-", "begun"
	r.lateSees = "terminating connection due to idle-in-transaction timeout"
	r.env = append(r.env, "PGOPTIONS=-c lock_timeout=8s") // longer than the timeout of a transaction that does nothing
	return r
}

func (s *servers) transactions(t *testing.T, name, schema, transaction string) resource {
	t.Helper()
	transaction = bind.Replace(transaction)
	begin, rest, found := strings.Cut(transaction, beforeWork)
	if !found {
		t.Fatalf("no line %q in:\n%s", beforeWork, transaction)
	}
	r := s.newResource(t, name, map[string]string{
		"transaction.sql": transaction,
		"claim.sql":       begin + theOrder + ";\nCOMMIT;\n",
		"begin.sql":       begin + "\\echo begun\n",
		"rest.sql":        rest,
	})
	r.env = s.newDatabase(t, name, block(t, "table.sql"), schema)
	r.write, r.claim, r.sees = psql+"transaction.sql", psql+"claim.sql", `fenced: "orders" has seen a newer token than`
	r.value = func(t *testing.T) string { return s.sql(t, name, theOrder) }
	return r
}

// hash is a hash of Redis with its token, behind a script.
func (s *servers) hash(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.newResource(t, name, map[string]string{"fence.lua": removed.off(t, block(t, "fence.lua"))})
	r.write = replace(t, block(t, "redis.sh"), "redis-cli -e EVAL", "redis-cli -s "+s.redis+" -e EVAL")
	r.write = replace(t, r.write, " orders ", " "+name+" ")
	r.claim, r.sees = replace(t, r.write, ` "$VALUE"`, ""), "has been seen"
	r.value = func(t *testing.T) string {
		out, status := harness.RunCommand(t, "redis-cli", "-s", s.redis, "-e", "HGET", name, "value")
		if status != 0 {
			t.Fatal(out)
		}
		return strings.TrimSpace(out)
	}
	return r
}

// object is an object of the S3 server.
func (s *servers) object(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.newResource(t, name, map[string]string{"fenced-put.sh": removed.off(t, block(t, "fenced-put.sh"))})
	r.env = []string{"URL=" + s.s3 + "/" + bucket + "/" + name, "S3_KEY=" + s3Key, "S3_SECRET=" + s3Secret}
	r.write = `./fenced-put.sh "$URL" "$TOKEN" printf %s "$VALUE"`
	r.claim = `./fenced-put.sh "$URL" "$TOKEN" cat`
	r.sees = "has been seen"
	r.value = func(t *testing.T) string {
		status, _, body := s.askS3(t, name)
		if status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", name, status, body)
		}
		_, value, _ := strings.Cut(body, "\n")
		return value
	}
	return r
}

// readObject is the same for a writer that is frozen between its read and its conditional write.
func (s *servers) readObject(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.object(t, name, removed)
	r.late = `./fenced-put.sh "$URL" "$TOKEN" sh -c 'pause; printf late'`
	r.lateSees = "somebody has written meanwhile"
	return r
}

// service is the HTTP service of the page.
func (s *servers) service(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.newResource(t, name, nil)
	url, file := s.startOrders(t, name+"-service", removed.off(t, block(t, "orders.py")))
	r.env = []string{"URL=" + url}
	r.write, r.sees = block(t, "put.sh"), "has been seen"
	r.claim = replace(t, r.write, "$VALUE", "")
	r.value = func(t *testing.T) string {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, value, _ := strings.Cut(string(content), "\n")
		return value
	}
	return r
}

// halfRequest is the same for a writer that is frozen when its request is half sent: the service has the token, not the value.
func (s *servers) halfRequest(t *testing.T, name string, removed guard) resource {
	t.Helper()
	r := s.service(t, name, removed)
	r.late = `{ printf la; pause; printf te; } | curl --verbose --fail-with-body --no-progress-meter --upload-file - --header "Leader-Token: $TOKEN" ` +
		`--header 'Content-Length: 4' --header 'Transfer-Encoding:' --header 'Expect: 100-continue' "$URL" 2>&1`
	r.begun = "HTTP/1.1 100 Continue" // the service's answer to the headers
	return r
}
