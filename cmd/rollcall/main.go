// Command rollcall is the SCIM provisioning server and the command line that looks after it. It is the only package
// that knows every other: it reads the configuration, wires store, service and edges together, and gives them the
// clock and the random numbers that nothing below it may take for itself. It decides nothing about resources.
package main

import (
	"context"
	"os"
)

func main() {
	privateFiles()
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
