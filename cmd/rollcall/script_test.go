package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rollcall/internal/mongotest"
)

//nolint:gochecknoglobals // a flag of the test binary
var update = flag.Bool("update", false, "write what commands print into the scripts")

// TestMain lets the test binary be the command: scripts and the tests that start servers run exactly this build,
// with the race detector if the tests have it.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"rollcall": main})
}

// tests runs the tests and stops the MongoDB that they started, if they did.
type tests struct{ m *testing.M }

func (t tests) Run() int { return mongotest.Main(t.m) }

// TestScripts runs testdata/script/*.txtar. Beside testscript's own commands they have those of scriptCommands.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", func(*testscript.Env) {})
}

// TestScriptsMongoDB runs testdata/mongodb/*.txtar; each finds a connection string to an empty database in $MONGODB.
func TestScriptsMongoDB(t *testing.T) {
	mongotest.URI(t)
	runScripts(t, "testdata/mongodb", func(e *testscript.Env) { e.Setenv("MONGODB", mongotest.DatabaseURI(t)) })
}

// TestScriptsRefusedMongoDB runs testdata/refused/*.txtar, which find connection strings that no start accepts.
func TestScriptsRefusedMongoDB(t *testing.T) {
	g := mongotest.StartGuarded(t)
	standalone := mongotest.Standalone(t)
	newer := mongotest.DatabaseURI(t)
	mongotest.Insert(t, newer, "settings", map[string]any{"_id": "schema", "version": int64(1 << 40)})
	reader := url.UserPassword("reader", "hunter2")
	g.CreateUser(t.Context(), reader, mongotest.Privilege{Database: "rollcall", Actions: []string{"find", "listIndexes"}})
	runScripts(t, "testdata/refused", func(e *testscript.Env) {
		e.Setenv("STANDALONE", standalone)
		e.Setenv("NEWER", newer)
		e.Setenv("NOLOGIN", g.URI(nil, "rollcall"))
		e.Setenv("READER", g.URI(reader, "rollcall"))
		e.Setenv("WRONG", g.URI(url.UserPassword("reader", "hunter22"), "rollcall"))
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds:                scriptCommands(),
		Setup: func(e *testscript.Env) error {
			// Sockets need short paths.
			e.Setenv("TMPDIR", os.TempDir())
			setup(e)
			return nil
		},
	})
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"ready":      cmdReady,
		"http":       cmdHTTP,
		"await-grep": cmdAwaitGrep,
		"capture":    cmdCapture,
		"signal":     cmdSignal,
		"gencert":    cmdGencert,
		"poke":       cmdPoke,
		"normal":     cmdNormal,
	}
}

// cmdReady: ready FILE waits until the server whose --addr-file is FILE is ready, and sets $LISTEN, $OPS and $SCIM.
func cmdReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRFILE")
	}
	file := ts.MkAbs(args[0])
	listen, err := await(func() (string, error) { return readAddress(file, "listen") })
	ts.Check(err)
	ts.Setenv("LISTEN", listen)
	ts.Setenv("SCIM", "http://"+listen+scimRoot)
	if ops, err := readAddress(file, "ops-listen"); err == nil {
		ts.Setenv("OPS", ops)
	}
}

// await tries until it works, for at most half a minute.
func await[T any](try func() (T, error)) (T, error) {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := try()
		if err == nil {
			return v, nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return v, fmt.Errorf("gave up waiting: %w", err)
		}
	}
}

// cmdHTTP: http METHOD URL STATUS sends a request and wants the status; status line, headers and body of the answer
// become stdout. Flags come first: -token T, -body FILE, -cacert FILE, and -await to ask until the status comes.
func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("http", flag.ContinueOnError)
	token, body, cacert := f.String("token", "", ""), f.String("body", "", ""), f.String("cacert", "", "")
	eventually := f.Bool("await", false, "")
	ts.Check(f.Parse(args))
	if neg || f.NArg() != 3 {
		ts.Fatalf("usage: http [-await] [-token T] [-body FILE] [-cacert FILE] METHOD URL STATUS")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if *cacert != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ts.ReadFile(*cacert))) {
			ts.Fatalf("%s holds no certificate", *cacert)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	content := ""
	if *body != "" {
		content = ts.ReadFile(*body)
	}
	send := func() (string, error) {
		req, err := http.NewRequest(f.Arg(0), f.Arg(1), strings.NewReader(content))
		ts.Check(err)
		req.Header.Set("Content-Type", "application/scim+json")
		if *token != "" {
			req.Header.Set("Authorization", "Bearer "+*token)
		}
		resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		var out bytes.Buffer
		fmt.Fprintf(&out, "%s\n", resp.Status)
		ts.Check(resp.Header.Write(&out))
		if _, err = out.ReadFrom(resp.Body); err == nil && strconv.Itoa(resp.StatusCode) != f.Arg(2) {
			err = fmt.Errorf("%s %s answered:\n%s", f.Arg(0), f.Arg(1), out.Bytes())
		}
		return out.String(), err
	}
	try := send
	if *eventually {
		try = func() (string, error) { return await(send) }
	}
	text, err := try()
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), text)
}

// cmdAwaitGrep: await-grep PATTERN FILE waits until a line of the file matches.
func cmdAwaitGrep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-grep PATTERN FILE")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	_, err := await(func() (struct{}, error) {
		if !pattern.MatchString(ts.ReadFile(args[1])) {
			return struct{}{}, fmt.Errorf("%s does not match in %s", args[0], args[1])
		}
		return struct{}{}, nil
	})
	ts.Check(err)
}

// cmdCapture: capture VAR PATTERN [FILE] sets $VAR to the first group of PATTERN in FILE, by default stdout.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: capture VAR PATTERN [FILE]")
	}
	file := "stdout"
	if len(args) == 3 {
		file = args[2]
	}
	text := ts.ReadFile(file)
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(text)
	if len(m) < 2 {
		ts.Fatalf("%s does not match in:\n%s", args[1], text)
	}
	ts.Setenv(args[0], m[1])
}

// cmdSignal: signal NAME sends a signal to the command in the background.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	running := ts.BackgroundCmds()
	if neg || len(args) != 1 || signals[args[0]] == nil || len(running) == 0 {
		ts.Fatalf("usage: signal TERM|HUP|KILL, with a command in the background")
	}
	ts.Check(running[len(running)-1].Process.Signal(signals[args[0]]))
}

// cmdGencert: gencert CERT KEY makes a self-signed certificate for 127.0.0.1.
func cmdGencert(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gencert CERT KEY")
	}
	cert, key, err := generateCertificate()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), key, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), cert, 0o600))
}

// cmdPoke: poke FILE OFFSET HEX overwrites bytes of a file; a negative offset counts from its end.
func cmdPoke(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: poke FILE OFFSET HEX")
	}
	offset, err := strconv.ParseInt(args[1], 0, 64)
	ts.Check(err)
	b, err := hex.DecodeString(args[2])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	if offset < 0 {
		end, err := f.Seek(0, io.SeekEnd)
		ts.Check(err)
		offset += end
	}
	_, err = f.WriteAt(b, offset)
	ts.Check(err)
}

// cmdNormal: normal FILE writes the last stdout to a file, with what differs from run to run made the same: ids are
// numbered in the order in which they come, instants and tokens become placeholders of the same length.
func cmdNormal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: normal FILE")
	}
	ids := map[string]string{}
	text := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllStringFunc(ts.ReadFile("stdout"), func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("00000000-0000-0000-0000-%012d", len(ids)+1)
		}
		return ids[id]
	})
	text = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\dZ`).ReplaceAllString(text, "YYYY-MM-DD HH:MMZ")
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`).ReplaceAllString(text, "YYYY-MM-DDTHH:MM:SSZ")
	text = regexp.MustCompile(`inv_[A-Za-z0-9_-]{43}`).ReplaceAllString(text, "inv_TOKEN")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
