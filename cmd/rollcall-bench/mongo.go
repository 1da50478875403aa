package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	driver "go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// The databases of a run on MongoDB. They are dropped before and after it.
const (
	mongoDatabase = "rollcall_bench"
	bareDatabase  = "rollcall_bench_bare"
)

// The targets on MongoDB, as shares of what the bare driver does.
const (
	mongoReads  = 0.6
	mongoWrites = 0.5
)

// runMongo seeds a server on MongoDB and measures it beside the bare driver, which sends the same commands to a copy
// of the server's collections, without HTTP and without anything of Rollcall.
func runMongo(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	client, err := mongo.Connect(driver.Client().ApplyURI(o.store).SetMaxPoolSize(200).SetTimeout(time.Minute).
		SetReadConcern(readconcern.Majority()).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return errors.New("the connection string cannot be parsed")
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	drop := func(ctx context.Context) error {
		return errors.Join(client.Database(mongoDatabase).Drop(ctx), client.Database(bareDatabase).Drop(ctx))
	}
	if err := drop(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	if o.store, err = withDatabase(o.store, mongoDatabase); err != nil {
		return err
	}
	s, err := startRollcall(ctx, o, "", stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	res := &result{Users: o.users, Store: "MongoDB"}
	res.MemoryIdle, _ = s.memory()
	fmt.Fprintf(stderr, "seeding %d users\n", o.users)
	d, err := seed(ctx, s.addr, o.users)
	if err != nil {
		return err
	}
	res.SeedRate = float64(len(d.Users)) / d.Took.Seconds()
	res.MemorySeeded, _ = s.memory()
	b, err := newBare(ctx, client, d)
	if err != nil {
		return fmt.Errorf("copy the collections for the bare driver: %w", err)
	}
	for _, st := range mongoSteps(d, b) {
		if !only.MatchString(st.name) {
			continue
		}
		for _, conns := range o.conns {
			f, err := st.measure(ctx, o, s, b, conns)
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", st.name, conns, err)
			}
			res.Figures = append(res.Figures, *f)
			fmt.Fprintln(stderr, f)
		}
	}
	_, res.MemoryPeak = s.memory()
	if o.json != "" {
		if err := res.write(o.json); err != nil {
			return err
		}
	}
	return errors.Join(res.print(stdout), res.printCost(stdout))
}

func withDatabase(uri, name string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", errors.New("the connection string is no URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// mongoStep is a step with the bare driver's calls.
type mongoStep struct {
	step
	bare func(w int) caller
}

// mongoSteps are the steps that have such calls.
func mongoSteps(d *data, b *bare) []mongoStep {
	bareOf := map[string]func(w int) caller{
		"get": b.get, "userName eq hit": b.filter, "create": b.create, "patch as Okta": b.patch, "bulk create of 1000": b.bulk,
	}
	for size, id := range d.Groups {
		bareOf[fmt.Sprintf("one member, group of %d", size)] = func(w int) caller { return b.member(w, id) }
	}
	var list []mongoStep
	for _, st := range steps(d) {
		call := bareOf[st.name]
		if call == nil {
			continue
		}
		st.target = mongoReads
		if st.write {
			st.target = mongoWrites
		}
		list = append(list, mongoStep{st, call})
	}
	return list
}

func (st *mongoStep) measure(ctx context.Context, o options, s *server, b *bare, conns int) (*figure, error) {
	f := &figure{Step: st.name, Conns: conns, Target: st.target}
	weight := float64(max(1, st.weight))
	for r := range o.runs {
		if o.profile != "" && r == 0 {
			go saveProfile(ctx, s, filepath.Join(o.profile, fileName(st.name, conns)+".pprof"), o.duration)
		}
		before, err := s.commands(ctx)
		if err != nil {
			return nil, err
		}
		database := b.databaseCPU()
		m, err := measured(ctx, o, s, st.step, conns)
		if err != nil {
			return nil, err
		}
		after, err := s.commands(ctx)
		if err != nil {
			return nil, err
		}
		m.perCall(weight, b.databaseCPU()-database)
		m.Commands = (after - before) / max(1, float64(m.Calls)) / weight
		f.Runs = append(f.Runs, m)
		database, driver := b.databaseCPU(), ownCPU()
		floor, err := load(ctx, conns, o.warmUp, o.duration, st.bare)
		if err != nil {
			return nil, fmt.Errorf("bare driver: %w", err)
		}
		floor.CPU = float64((ownCPU() - driver).Microseconds()) / max(1, float64(floor.Calls))
		floor.perCall(weight, b.databaseCPU()-database)
		f.Floor = append(f.Floor, floor)
	}
	f.settle()
	return f, nil
}

// perCall makes what was counted of requests that of the operations in them.
func (m *measurement) perCall(weight float64, database time.Duration) {
	m.Rate *= weight
	m.CPU /= weight
	m.Allocs /= weight
	m.Database = float64(database.Microseconds()) / max(1, float64(m.Calls)) / weight
}

// ownCPU is this process's time so far: in the turn of the bare driver, that of the driver.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// databaseCPU is that of the MongoDB server, 0 if it does not tell.
func (b *bare) databaseCPU() time.Duration {
	raw, err := b.client.Database("admin").RunCommand(b.ctx, bson.D{{Key: "serverStatus", Value: 1}}).Raw()
	if err != nil {
		return 0
	}
	user, _ := raw.Lookup("extra_info", "user_time_us").AsInt64OK()
	system, _ := raw.Lookup("extra_info", "system_time_us").AsInt64OK()
	return time.Duration(user+system) * time.Microsecond
}

// printCost puts the processor time of the server and of the bare driver side by side, each with that of the database:
// what else runs on the machine changes these less than it changes rates.
func (r *result) printCost(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "CPU us of one operation\tserver\tdatabase\tbare driver\tdatabase\tshare\t")
	for i := range r.Figures {
		f := &r.Figures[i]
		mid := func(of func(i int) float64) float64 {
			all := make([]float64, len(f.Floor))
			for i := range all {
				all[i] = of(i)
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t\n", f.Step,
			mid(func(i int) float64 { return f.Runs[i].CPU }), mid(func(i int) float64 { return f.Runs[i].Database }),
			mid(func(i int) float64 { return f.Floor[i].CPU }), mid(func(i int) float64 { return f.Floor[i].Database }),
			mid(func(i int) float64 {
				return (f.Floor[i].CPU + f.Floor[i].Database) / (f.Runs[i].CPU + f.Runs[i].Database)
			}))
	}
	return t.Flush()
}

// bare is the bare driver on copies of the server's collections.
type bare struct {
	ctx    context.Context //nolint:containedctx // of the whole run
	client *mongo.Client
	db     *mongo.Database
	org    string
	users  []string
	user   bson.D // the document of one user, of which new ones are made
	change bson.D // the same of a change
	turns  sync.Map
}

// newBare copies the collections with their indexes.
func newBare(ctx context.Context, client *mongo.Client, d *data) (*bare, error) {
	b := &bare{ctx: ctx, client: client, db: client.Database(bareDatabase), users: d.Users}
	from := client.Database(mongoDatabase)
	for _, coll := range []string{"users", "groups", "memberships", "keys", "changes"} {
		cur, err := from.Collection(coll).Aggregate(ctx, mongo.Pipeline{{{Key: "$out", Value: bson.D{{Key: "db", Value: bareDatabase}, {Key: "coll", Value: coll}}}}})
		if err != nil {
			return nil, err
		}
		if err := cur.Close(ctx); err != nil {
			return nil, err
		}
		var list bson.A
		specs, err := from.Collection(coll).Indexes().List(ctx)
		if err != nil {
			return nil, err
		}
		var all []bson.D
		if err := specs.All(ctx, &all); err != nil {
			return nil, err
		}
		for _, spec := range all {
			list = append(list, spec)
		}
		if err := b.db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: coll}, {Key: "indexes", Value: list}}).Err(); err != nil {
			return nil, err
		}
	}
	var first struct {
		Org string `bson:"org"`
	}
	if err := b.db.Collection("users").FindOne(ctx, bson.D{}).Decode(&first); err != nil {
		return nil, err
	}
	b.org = first.Org
	if err := b.db.Collection("users").FindOne(ctx, bson.D{{Key: "org", Value: b.org}, {Key: "id", Value: d.Users[0]}}).Decode(&b.user); err != nil {
		return nil, err
	}
	return b, b.db.Collection("changes").FindOne(ctx, bson.D{{Key: "org", Value: b.org}, {Key: "id", Value: d.Users[0]}}).Decode(&b.change)
}

// commands is how many commands the server has sent to MongoDB.
func (s *server) commands(ctx context.Context) (float64, error) {
	n := 0.0
	err := s.metrics(ctx, func(name string, value float64) {
		if strings.HasPrefix(name, "rollcall_store_commands_total{") {
			n += value
		}
	})
	return n, err
}
