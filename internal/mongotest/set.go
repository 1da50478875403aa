package mongotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	setName = "rollcall"
	logFile = "mongod.log"
)

// Set is a replica set on loopback that lives as long as a test binary.
type Set struct {
	name, dir string
	members   []*Member
}

// Member is one server: a mongod of a Set, or one that stands alone, or a mongos.
type Member struct {
	binary, dir, addr string
	args              []string // beside those that each has
	cmd               *exec.Cmd
	ended             chan struct{}
}

// StartSet starts a replica set of n members and waits for its primary. The data lie where memory is the disk, if
// the machine has such a place.
func StartSet(ctx context.Context, binary string, n int) (*Set, error) {
	return startSet(ctx, binary, setName, n)
}

// startSet starts a replica set whose servers have further arguments.
func startSet(ctx context.Context, binary, name string, n int, args ...string) (_ *Set, err error) {
	dir, err := os.MkdirTemp(scratch(), "rollcall-mongod-")
	if err != nil {
		return nil, err
	}
	s := &Set{name: name, dir: dir}
	args = append([]string{"--replSet", name}, args...)
	if n > 1 {
		// As docs/mongodb.md advises: what a process that died has left open ends soon.
		args = append(args, "--setParameter", "transactionLifetimeLimitSeconds=15")
	}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	var members bson.A
	for i := range n {
		m, err := startMember(binary, filepath.Join(dir, strconv.Itoa(i)), args)
		if m != nil {
			s.members = append(s.members, m)
		}
		if err != nil {
			return nil, err
		}
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: m.addr}})
	}
	for _, m := range s.members {
		if err := m.await(ctx); err != nil {
			return nil, err
		}
	}
	config := bson.D{{Key: "_id", Value: name}, {Key: "members", Value: members}}
	if n > 1 {
		// Faults are noticed within seconds, so that tests of them do not take minutes.
		config = append(config, bson.E{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}, {Key: "heartbeatIntervalMillis", Value: 500}}})
	}
	if err := s.members[0].run(ctx, bson.D{{Key: "replSetInitiate", Value: config}}, nil); err != nil {
		return nil, fmt.Errorf("mongotest: initiate the replica set: %w", err)
	}
	_, err = s.Primary(ctx)
	return s, err
}

// startMember starts a mongod on a free port with its data in a new directory.
func startMember(binary, dir string, args []string) (*Member, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	args = append([]string{"--dbpath", dir, "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "200"}, args...)
	m := &Member{binary: binary, dir: dir, addr: addr, args: args}
	return m, m.Start()
}

// roomy is how much a few servers' data may take: their journals alone have 100 MB each. A container's memory disk
// often has 64 MB.
const roomy = 4 << 30

// scratch is a directory in memory, if there is one that is large enough.
func scratch() string {
	const memory = "/dev/shm"
	if free(memory) >= roomy {
		return memory
	}
	return ""
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// URI returns the connection string of the set.
func (s *Set) URI() string {
	addrs := make([]string, len(s.members))
	for i, m := range s.members {
		addrs[i] = m.addr
	}
	return "mongodb://" + strings.Join(addrs, ",") + "/?replicaSet=" + s.name
}

// Stop kills the servers and removes their data.
func (s *Set) Stop() {
	for _, m := range s.members {
		_ = m.Signal(syscall.SIGCONT)
		m.Kill()
	}
	_ = os.RemoveAll(s.dir)
}

// Members returns the members.
func (s *Set) Members() []*Member { return s.members }

var errNoPrimary = errors.New("no member is primary")

// Primary waits for a member that is primary.
func (s *Set) Primary(ctx context.Context) (primary *Member, err error) {
	err = await(ctx, "wait for a primary", func() error {
		for _, m := range s.members {
			if m.cmd == nil {
				continue
			}
			short, cancel := context.WithTimeout(ctx, time.Second)
			var hello struct {
				Primary bool `bson:"isWritablePrimary"`
			}
			err := m.run(short, bson.D{{Key: "hello", Value: 1}}, &hello)
			cancel()
			if err == nil && hello.Primary {
				primary = m
				return nil
			}
		}
		return errNoPrimary
	})
	return primary, err
}

// Start starts the server with the data that it has.
func (m *Member) Start() error {
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		return err
	}
	//nolint:gosec // the binary is the one that whoever runs the tests named
	cmd := exec.Command(m.binary, append([]string{
		"--bind_ip", "127.0.0.1", "--port", port, "--logpath", filepath.Join(m.dir, logFile), "--logappend",
		"--setParameter", "diagnosticDataCollectionEnabled=false",
	}, m.args...)...)
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("mongotest: start mongod: %w", err)
	}
	m.cmd, m.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(m.ended)
	return nil
}

// await waits until the server answers.
func (m *Member) await(ctx context.Context) error {
	return await(ctx, "wait for mongod", func() error {
		select {
		case <-m.ended:
			return fmt.Errorf("mongod ended: %s", m.lastLog())
		default:
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return m.run(short, bson.D{{Key: "ping", Value: 1}}, nil)
	})
}

func (m *Member) lastLog() string {
	log, err := os.ReadFile(filepath.Join(m.dir, logFile))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-3):], []byte("\n")))
}

// run sends a command to this member alone.
func (m *Member) run(ctx context.Context, command bson.D, into any) error {
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + m.addr + "/?directConnection=true").
		SetServerSelectionTimeout(500 * time.Millisecond))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	res := client.Database("admin").RunCommand(ctx, command)
	if into == nil {
		return res.Err()
	}
	return res.Decode(into)
}

// StepDown makes a primary give way for some seconds.
func (m *Member) StepDown(ctx context.Context) error {
	return m.run(ctx, bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "force", Value: true}}, nil)
}

// Signal sends a signal to the server.
func (m *Member) Signal(sig syscall.Signal) error {
	if m.cmd == nil {
		return nil
	}
	return m.cmd.Process.Signal(sig)
}

// Kill ends the server as a crash does.
func (m *Member) Kill() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill()
	<-m.ended
	m.cmd = nil
}

// Address is where the server listens.
func (m *Member) Address() string { return m.addr }
