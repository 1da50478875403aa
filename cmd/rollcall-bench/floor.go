package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// answer is what a floor server repeats.
type answer struct {
	Status int
	Body   []byte
}

// floorCommand is this program as a bare net/http server in a process of its own: the same processors are shared
// in the same way as with Rollcall.
func floorCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "floor", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var a answer
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&a); err != nil {
				return err
			}
			length := strconv.Itoa(len(a.Body))
			s := &http.Server{Addr: listen, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Body != nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				h := w.Header()
				h.Set("Content-Type", "application/scim+json")
				if len(a.Body) > 0 {
					h.Set("Content-Length", length)
				}
				w.WriteHeader(a.Status)
				_, _ = w.Write(a.Body)
			})}
			go func() {
				<-cmd.Context().Done()
				_ = s.Close()
			}()
			if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address")
	return cmd
}

func startFloor(ctx context.Context, a answer) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "floor", "--listen", addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(in).Encode(a); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, addr: addr}
	if a.Status != http.StatusOK {
		return s, s.listening(ctx)
	}
	return s, s.ready(ctx, "/")
}

// listening waits until connections are accepted.
func (s *server) listening(ctx context.Context) error {
	for {
		c, err := dial(s.addr)
		if err == nil {
			c.close()
			return nil
		}
		if wait(ctx, 5*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
